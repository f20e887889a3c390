export interface GlobalsOptions { compatibilityFlags: Record<string, boolean> }
/** Puts the platform's globals on globalThis. Called once, before the user's bundle is loaded. */
export function installGlobals(_options: GlobalsOptions): void { throw new Error("unwritten"); }
