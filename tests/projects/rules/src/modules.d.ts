declare module "*.html" { const text: string; export default text; }
declare module "*.md" { const text: string; export default text; }
declare module "*.bin" { const bytes: ArrayBuffer; export default bytes; }
declare module "*.wasm" { const module: WebAssembly.Module; export default module; }
declare module "the-answer" { const answer: number; export default answer; }
