import { Agent } from "agents";
export default class Coder extends Agent {}
