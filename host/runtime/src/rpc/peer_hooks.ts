// What one host holds of another: hooks on objects that live there, and on results that are still to
// come from there. The session that they speak through is peer.ts's.
import { DISPOSED, Hook, LocalReply, type Payload, quiet, type Reply } from "./hook.ts";
import { disposedReply } from "./stub.ts";

/** What a call is made on: an agent, an object of the receiver's, the result of an earlier call, or the host itself. */
export type Target =
  | readonly ["agent", number, string, string]
  | readonly ["export", number]
  | readonly ["answer", number]
  | readonly ["host"];

/** The session with the host that an object lives on. */
export interface ObjectSession {
  call(target: Target, path: readonly string[], args: Payload | null): Reply;
  fetch(target: Target, request: Request): Promise<Response>;
  /** The object with this id is referred to no more. */
  release(id: number): void;
  onBroken(callback: (error: unknown) => void): void;
  /** Whether the answer to a question has yet to come. */
  waitsFor(question: number): boolean;
}

const forgotten = new FinalizationRegistry<Import>((imported) => imported.drop());

/** An object of the other host, shared by the hooks on it here. */
export class Import {
  readonly session: ObjectSession;
  readonly id: number;
  #references = 1;
  constructor(session: ObjectSession, id: number) {
    this.session = session;
    this.id = id;
  }
  add(): this {
    this.#references++;
    return this;
  }
  drop(): void {
    if (--this.#references === 0) this.session.release(this.id);
  }
}

export class ImportHook extends Hook {
  #imported: Import | null;
  constructor(imported: Import) {
    super();
    this.#imported = imported;
    forgotten.register(this, imported, this);
  }
  /** The id that `session` knows the object by, if it is the other side of that session. */
  idFor(session: ObjectSession): number | null {
    return this.#imported?.session === session ? this.#imported.id : null;
  }
  override call(path: readonly string[], args: Payload | null): Reply {
    if (this.#imported === null) return disposedReply(args);
    return this.#imported.session.call(["export", this.#imported.id], path, args);
  }
  override fetch(request: Request): Promise<Response> {
    if (this.#imported === null) return Promise.reject(new Error(DISPOSED));
    return this.#imported.session.fetch(["export", this.#imported.id], request);
  }
  override dup(): Hook {
    if (this.#imported === null) throw new Error(DISPOSED);
    return new ImportHook(this.#imported.add());
  }
  override dispose(): void {
    const imported = this.#imported;
    if (imported === null) return;
    this.#imported = null;
    forgotten.unregister(this);
    imported.drop();
  }
  override onBroken(callback: (error: unknown) => void): void {
    this.#imported?.session.onBroken(callback);
  }
}

/** A call's answer from another host. Until it has come, calls on it go there at once. */
export class RemoteReply implements Reply {
  readonly promise: Promise<Payload>;
  readonly #session: ObjectSession;
  readonly #question: number;
  constructor(session: ObjectSession, question: number, promise: Promise<Payload>) {
    this.#session = session;
    this.#question = question;
    this.promise = quiet(promise);
  }
  pipeline(): Hook {
    return new AnswerHook(this.#session, this.#question, new LocalReply(this.promise).pipeline());
  }
}

class AnswerHook extends Hook {
  readonly #session: ObjectSession;
  readonly #question: number;
  readonly #here: Hook;
  constructor(session: ObjectSession, question: number, here: Hook) {
    super();
    this.#session = session;
    this.#question = question;
    this.#here = here;
  }
  override call(path: readonly string[], args: Payload | null): Reply {
    if (this.#session.waitsFor(this.#question)) return this.#session.call(["answer", this.#question], path, args);
    return this.#here.call(path, args);
  }
  override dup(): Hook {
    return this;
  }
  override dispose(): void {}
  override onBroken(callback: (error: unknown) => void): void {
    this.#here.onBroken(callback);
  }
}
