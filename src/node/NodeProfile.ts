/**
 * Profiles of this thread, as Chrome's developer tools open them: `.cpuprofile` (Performance), `.heapprofile` (Memory, sampling).
 * Twisted: `--profile`.
 */
import * as fs from "node:fs"
import type * as inspector from "node:inspector"
import * as path from "node:path"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { visible } from "../result/VisibleText.ts"

/** Where the time goes; or what is allocated, and alive at the end. */
export type Kind = "cpu" | "heap"

export const kinds: ReadonlyArray<Kind> = ["cpu", "heap"]

export interface Options {
  readonly kind: Kind
  /** Default: `spindle-DATE-PID.cpuprofile` (or `.heapprofile`) in the directory that the process is in when it begins. */
  readonly file?: string | undefined
}

/** A profile that is being made. */
export interface Profile {
  readonly kind: Kind
  /** Absolute; there is nothing before the end. */
  readonly file: string
  /** Ends it, and writes the file; gives its name. The second time it only does that. */
  readonly stop: Effect.Effect<string, ProfileError>
}

/** A profile could not be begun, or not be written. */
export class ProfileError extends Data.TaggedError("ProfileError")<{
  readonly kind: Kind
  readonly file: string
  readonly cause: unknown
}> {
  override get message(): string {
    const why = this.cause instanceof Error ? this.cause.message : String(this.cause)
    return `${this.kind} profile ${visible(this.file)}: ${visible(why)}`
  }
}

/**
 * Begins a profile. The end of the scope writes it, however that came, unless `stop` has before; a failure to do so is then a line in the
 * log. A file that cannot be made is told at once, not after the work.
 */
export const make = ({ file, kind }: Options): Effect.Effect<Profile, ProfileError, Scope.Scope> =>
  Effect.suspend(() => {
    const absolute = path.resolve(file ?? nameOf(kind))
    const fail = (cause: unknown) => new ProfileError({ kind, file: absolute, cause })
    let stopped: Effect.Effect<string, ProfileError> | undefined
    return Effect.acquireRelease(
      Effect.tryPromise({
        try: async (): Promise<Profile> => {
          fs.accessSync(path.dirname(absolute), fs.constants.W_OK)
          const session = await begin(kind)
          const written = (): Effect.Effect<string, ProfileError> => {
            try {
              fs.writeFileSync(absolute, JSON.stringify(end(session, kind)))
              return Effect.succeed(absolute)
            } catch (cause) {
              return Effect.fail(fail(cause))
            }
          }
          const stop = Effect.suspend(() => (stopped ??= written()))
          return { kind, file: absolute, stop }
        },
        catch: fail
      }),
      ({ stop }) => Effect.asVoid(stop).pipe(Effect.catch((error) => Effect.logError(error.message)))
    )
  })

const nameOf = (kind: Kind): string =>
  `spindle-${new Date().toISOString().replace(/[-:]|\.\d+/g, "")}-${process.pid}.${kind}profile`

const begin = async (kind: Kind): Promise<inspector.Session> => {
  // Loaded only when it is used: it starts a part of V8.
  const { Session } = await import("node:inspector")
  const session = new Session()
  session.connect()
  if (kind === "cpu") {
    post(session, "Profiler.enable")
    post(session, "Profiler.start")
  } else {
    post(session, "HeapProfiler.enable")
    post(session, "HeapProfiler.startSampling")
  }
  return session
}

const end = (session: inspector.Session, kind: Kind): object => {
  const { profile } = post(session, kind === "cpu" ? "Profiler.stop" : "HeapProfiler.stopSampling")
  session.disconnect()
  return profile as object
}

/** Answers of the same thread are there when the question has been put. */
const post = (session: inspector.Session, method: string): Readonly<Record<string, unknown>> => {
  let failure: Error | null | undefined
  let answer: object | undefined
  session.post(method, (error: Error | null, result?: object) => {
    failure = error
    answer = result
  })
  if (failure !== null && failure !== undefined) throw failure
  return (answer ?? {}) as Readonly<Record<string, unknown>>
}
