/**
 * What a service manager is told (sd_notify(3), `Type=notify`): that the daemon is ready, reloads, stops, and lives. Without
 * `$NOTIFY_SOCKET` all of it does nothing. Sockets that systemd passes are in `SystemdDescriptors`.
 */
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { visible } from "../result/VisibleText.ts"
import * as Sender from "./NodeSystemdSender.ts"

/** A message was not sent. */
export class SystemdError extends Data.TaggedError("SystemdError")<{
  /** `$NOTIFY_SOCKET`. */
  readonly socket: string
  readonly detail: string
  /** The operating system's name for it (`ECONNREFUSED`, ...), if it came from there. */
  readonly errno?: string | undefined
  readonly cause?: unknown
}> {
  override get message(): string {
    return `the service manager at ${visible(this.socket)} was not told: ${visible(this.detail)}`
  }
}

export interface Options {
  /** What of the environment is read. Default: this process's. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined
  /** Whom the watchdog means. Default: this process. */
  readonly pid?: number | undefined
  /** How it is sent. Default: by `node:ffi` where there is one, else by the program `systemd-notify`. */
  readonly way?: "ffi" | "program" | undefined
}

export interface NodeSystemd {
  /** Whether anybody is told. */
  readonly isPresent: boolean
  /**
   * How often to say that it lives: half of the time that it has. `undefined` where the manager does not watch, or watches
   * another process.
   */
  readonly watchdogInterval: Duration.Duration | undefined
  /** Any assignments, in this order. Line breaks and what else cannot be seen are written out. */
  readonly notify: (
    assignments: Readonly<Record<string, string | number>>
  ) => Effect.Effect<void, SystemdError>
  /** All services are up; or reloaded. `status` is one line for people. */
  readonly ready: (status?: string) => Effect.Effect<void, SystemdError>
  /** The configuration is read again; `ready` ends that. It says when, as `Type=notify-reload` wants it. */
  readonly reloading: Effect.Effect<void, SystemdError>
  readonly stopping: Effect.Effect<void, SystemdError>
  /** One line for people, shown by `systemctl status`. */
  readonly status: (text: string) => Effect.Effect<void, SystemdError>
  /** Another process is the daemon from now on. */
  readonly mainPid: (pid: number) => Effect.Effect<void, SystemdError>
  /** Starting, reloading or stopping takes at least so long from now on, whatever the unit allows. */
  readonly extendTimeout: (duration: Duration.Input) => Effect.Effect<void, SystemdError>
  /** Says once that it lives. */
  readonly alive: Effect.Effect<void, SystemdError>
  /**
   * Says so at every interval, as long as `isAlive` says so: once it does not, the manager hears nothing, and ends the process in
   * time. What cannot be sent is told in the log, once, and tried again. Waits for ever where there is no watchdog.
   */
  readonly keepAlive: <E, R>(isAlive: Effect.Effect<boolean, E, R>) => Effect.Effect<never, E, R>
}

/** Reads the environment; what it says is kept, so it can be taken out then (`unsetEnvironment`). */
export const make = (options: Options = {}): NodeSystemd => {
  const { environment = process.env, pid = process.pid, way } = options
  const socket = environment["NOTIFY_SOCKET"] || undefined
  const watchdogInterval = socket === undefined ? undefined : watchdogOf(environment, pid)
  const sender = socket === undefined ? undefined : Sender.make({ socket, way })

  const notify: NodeSystemd["notify"] = (assignments) => {
    if (socket === undefined || sender === undefined) return Effect.void
    const failed = (unsent: Sender.Unsent) => new SystemdError({ socket, ...unsent })
    if (typeof sender !== "function") return Effect.fail(failed(sender))
    // A line break would begin another assignment.
    const lines = Object.entries(assignments).map(([name, value]) => `${name}=${visible(String(value))}`)
    return Effect.mapError(sender(lines.join("\n")), failed)
  }
  const alive = notify({ WATCHDOG: 1 })

  const keepAlive: NodeSystemd["keepAlive"] = (isAlive) => {
    if (watchdogInterval === undefined) return Effect.never
    let told = false
    const say = alive.pipe(
      Effect.catch((error) => {
        if (told) return Effect.void
        told = true
        return Effect.logWarning(error.message)
      })
    )
    return Effect.forever(
      Effect.andThen(
        Effect.flatMap(isAlive, (lives) => (lives ? say : Effect.void)),
        Effect.sleep(watchdogInterval)
      )
    )
  }

  return {
    isPresent: socket !== undefined,
    watchdogInterval,
    notify,
    ready: (status) => notify({ READY: 1, ...(status === undefined ? {} : { STATUS: status }) }),
    reloading: Effect.suspend(() => notify({ RELOADING: 1, MONOTONIC_USEC: String(monotonicMicros()) })),
    stopping: notify({ STOPPING: 1 }),
    status: (text) => notify({ STATUS: text }),
    mainPid: (pid) => notify({ MAINPID: pid }),
    extendTimeout: (duration) =>
      notify({ EXTEND_TIMEOUT_USEC: Math.ceil(Duration.toMillis(duration) * 1_000) }),
    alive,
    keepAlive
  }
}

/** CLOCK_MONOTONIC, which is what libuv reads. */
const monotonicMicros = (): bigint => process.hrtime.bigint() / 1_000n

/** sd_watchdog_enabled(3) */
const watchdogOf = (
  { WATCHDOG_PID: owner, WATCHDOG_USEC: micros = "" }: Readonly<Record<string, string | undefined>>,
  pid: number
): Duration.Duration | undefined => {
  if (owner !== undefined && owner !== String(pid)) return undefined
  if (!/^[1-9]\d{0,15}$/.test(micros)) return undefined
  return Duration.millis(Number(micros) / 2_000)
}

/** Takes the variables out of the environment, so that child processes do not speak for this one. */
export const unsetEnvironment: Effect.Effect<void> = Effect.sync(() => {
  for (const name of ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]) delete process.env[name]
})
