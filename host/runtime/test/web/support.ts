// What the tests of web/ share: a result or an error as one comparable value.

/** The value, or the class of the error: messages are Node's or the platform's own affair. */
export function outcome(run: () => unknown): unknown {
  try {
    const value = run();
    return value instanceof Promise ? value.then(plain, failed) : plain(value);
  } catch (error) {
    return failed(error);
  }
}

function failed(error: unknown): unknown {
  return { threw: (error as Error).name };
}

/** The name of the error that an outcome is, or null. */
export function failedWith(result: unknown): string | null {
  return (result as { threw?: string } | null)?.threw ?? null;
}

/** Bytes as arrays of numbers, so that ArrayBuffers of two makes compare. */
export function plain(value: unknown): unknown {
  if (value instanceof ArrayBuffer) return { bytes: [...new Uint8Array(value)] };
  if (ArrayBuffer.isView(value)) return { bytes: [...new Uint8Array(value.buffer, value.byteOffset, value.byteLength)] };
  if (Array.isArray(value)) return value.map(plain);
  return value === undefined ? null : value;
}

export function streamOf(...chunks: (string | Uint8Array)[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk);
      controller.close();
    },
  });
}

/** Lets what is queued run: microtasks, and one turn of the loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Lets a few turns of the loop go by: each frame between two ends takes one. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 12; i++) await turn();
}

/** Waits for a condition, turn by turn, for at most five seconds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`gave up waiting for ${what}`);
    await turn();
  }
}
