import { Agent } from "agents";
export class Coder extends Agent {}
