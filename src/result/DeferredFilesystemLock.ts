/** A lock between processes: a symbolic link to the number of the one that has it. Twisted: `DeferredFilesystemLock`. */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Deferred } from "./DeferredHandle.ts"
import { current, type DeferredScope } from "./DeferredScope.ts"

/** There is something of this name that is no lock; it is left alone. */
export class NotALock extends Data.TaggedError("NotALock")<{ readonly detail: string }> {
  override get message(): string {
    return this.detail
  }
}

/** The file system says no. */
export class Unusable extends Data.TaggedError("Unusable")<{
  readonly detail: string
  /** The operating system's name for it (`EACCES`, ...). */
  readonly errno: string | undefined
  readonly cause: unknown
}> {
  override get message(): string {
    return this.detail
  }
}

/** A lock cannot be taken or left, now or later. That somebody else has it is no error. */
export class FilesystemLockError extends Data.TaggedError("FilesystemLockError")<{
  readonly path: string
  readonly reason: NotALock | Unusable
}> {
  override get message(): string {
    return `${this.path}: ${this.reason.message}`
  }
}

/** Somebody waits for this very lock by this very object already. Twisted: `AlreadyTryingToLockError`. */
export class AlreadyTryingToLock extends Data.TaggedError("AlreadyTryingToLock")<{ readonly path: string }> {
  override get message(): string {
    return `${this.path}: somebody waits for this lock already`
  }
}

/** Twisted: `ValueError`. */
export class NotLocked extends Data.TaggedError("NotLocked")<{ readonly path: string }> {
  override get message(): string {
    return `${this.path}: this lock is not ours`
  }
}

/** The file of one lock. */
export interface FilesystemLockFile {
  /** Tries once. `Broken`: taken from a process that had died with it. */
  readonly take: Effect.Effect<"Taken" | "Broken" | "Held", FilesystemLockError>
  /** Leaves it; whether it was there. */
  readonly leave: Effect.Effect<boolean, FilesystemLockError>
}

/** What a platform must know for this: links, and which processes live. `NodeFilesystemLock.layer` has it. */
export class FilesystemLocks extends Context.Service<
  FilesystemLocks,
  { readonly at: (path: string) => FilesystemLockFile }
>()("spindle/result/FilesystemLocks") {}

export interface Options {
  /** How often it is tried while somebody else has it. Default 1 second, as Twisted's. */
  readonly interval?: Duration.Input | undefined
}

export class DeferredFilesystemLock {
  readonly path: string
  private readonly scope: DeferredScope
  private readonly file: FilesystemLockFile
  private readonly interval: Duration.Input
  private trying = false
  /** What the lock was taken for, while it is had: who takes it again has another one. */
  private holder: object | undefined
  private ended = false
  private cleanly = true

  /** @internal */
  constructor(scope: DeferredScope, path: string, file: FilesystemLockFile, options: Options) {
    this.scope = scope
    this.path = path
    this.file = file
    this.interval = options.interval ?? "1 second"
  }

  /** Whether this object has the lock. */
  get locked(): boolean {
    return this.holder !== undefined
  }

  /** Whether whoever had the lock before had left it, rather than died with it. Twisted: `clean`. */
  get clean(): boolean {
    return this.cleanly
  }

  /**
   * Has the lock when it fires, at once if it is free; otherwise it is tried again and again. Cancelling it gives up; with
   * `timeout` that happens by itself.
   */
  deferUntilLocked(options: {
    readonly timeout: Duration.Input
  }): Deferred<void, AlreadyTryingToLock | FilesystemLockError | Cause.TimeoutError>
  deferUntilLocked(): Deferred<void, AlreadyTryingToLock | FilesystemLockError>
  deferUntilLocked(options?: {
    readonly timeout: Duration.Input
  }): Deferred<void, AlreadyTryingToLock | FilesystemLockError | Cause.TimeoutError> {
    const locked = this.scope.fromEffect(Effect.asVoid(this.lock))
    return options === undefined ? locked : locked.timeout(options.timeout)
  }

  /** Leaves it. */
  unlock(): Deferred<void, NotLocked | FilesystemLockError> {
    return this.scope.fromEffect(this.leave)
  }

  /** Has the lock until the scope ends. */
  get scoped(): Effect.Effect<void, AlreadyTryingToLock | FilesystemLockError, Scope.Scope> {
    return Effect.asVoid(Effect.acquireRelease(this.lock, this.endFor, { interruptible: true }))
  }

  /** Runs an effect with the lock. */
  readonly withLock = <A, E, R>(
    effect: Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | AlreadyTryingToLock | FilesystemLockError, R> =>
    Effect.scoped(Effect.andThen(this.scoped, effect)) as Effect.Effect<
      A,
      E | AlreadyTryingToLock | FilesystemLockError,
      R
    >

  private readonly lock = Effect.suspend(
    (): Effect.Effect<object, AlreadyTryingToLock | FilesystemLockError> =>
      this.trying ? Effect.fail(new AlreadyTryingToLock({ path: this.path })) : this.attempts()
  )

  private attempts(): Effect.Effect<object, FilesystemLockError> {
    this.trying = true
    const holder = {}
    const attempt = Effect.suspend(() =>
      this.ended
        ? Effect.interrupt
        : Effect.map(this.file.take, (outcome) => {
            if (outcome === "Held") return
            this.holder = holder
            this.cleanly = outcome === "Taken"
          })
    )
    const attempts: Effect.Effect<object, FilesystemLockError> = Effect.flatMap(
      Effect.uninterruptible(attempt),
      () =>
        this.holder === holder
          ? Effect.succeed(holder)
          : Effect.andThen(Effect.sleep(this.interval), attempts)
    )
    // It may have been taken in the moment of the interruption.
    return attempts.pipe(
      Effect.onExit((exit) => {
        this.trying = false
        return exit._tag === "Failure" ? this.endFor(holder) : Effect.void
      })
    )
  }

  private readonly leave: Effect.Effect<void, NotLocked | FilesystemLockError> = Effect.suspend(() =>
    this.holder === undefined ? Effect.succeed(false) : this.file.leave
  ).pipe(
    Effect.flatMap((left) => {
      this.holder = undefined
      // Not ours, or somebody has removed it.
      return left ? Effect.void : Effect.fail(new NotLocked({ path: this.path }))
    }),
    Effect.uninterruptible
  )

  /** Leaves it where nobody could be told that this went wrong. */
  private readonly end: Effect.Effect<void> = Effect.suspend(() =>
    this.holder === undefined ? Effect.void : Effect.ignore(this.leave, { log: "Warn" })
  )

  /** The same, unless somebody else has it by now, as it was left before. */
  private readonly endFor = (holder: object): Effect.Effect<void> =>
    Effect.suspend(() => (this.holder === holder ? this.end : Effect.void))

  /** @internal No more. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.ended = true
    return this.end
  })
}

/** A lock at `path`, which is the link itself; it is left at the end of the scope. */
export const make = (
  path: string,
  options: Options = {}
): Effect.Effect<DeferredFilesystemLock, never, FilesystemLocks | Scope.Scope> =>
  Effect.flatMap(current, (scope) =>
    Effect.acquireRelease(
      Effect.map(
        FilesystemLocks,
        (locks) => new DeferredFilesystemLock(scope, path, locks.at(path), options)
      ),
      (lock) => lock.close
    )
  )
