// FormData is Node's own, but for the name of a Blob that is put into it without one: the platform names
// it by its field, where the standard says "blob".

export function nameBlobsByField(): void {
  for (const method of ["append", "set"] as const) {
    const put = FormData.prototype[method] as (...given: unknown[]) => void;
    const named = {
      [method](this: FormData, ...given: unknown[]): void {
        const [name, value] = given;
        if (given.length === 2 && value instanceof Blob && !(value instanceof File)) given.push(String(name));
        Reflect.apply(put, this, given);
      },
    };
    Object.defineProperty(FormData.prototype, method, { value: named[method], writable: true, enumerable: true, configurable: true });
  }
}
