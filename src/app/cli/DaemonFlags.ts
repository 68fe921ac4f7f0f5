/**
 * The daemon's options as flags of `effect/cli`, for any command that runs an application. Each may also come from the
 * environment: `--log-format` from `SPINDLE_LOG_FORMAT`; what is on the command line stands above it.
 */
import type * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as SyslogTarget from "../../log/SyslogTarget.ts"
import { visible } from "../../result/VisibleText.ts"
import * as DaemonOption from "./DaemonOption.ts"
import { UsageError } from "./UsageError.ts"

const optionOf = (name: string): DaemonOption.DaemonOption => {
  const found = DaemonOption.all.find((option) => option.name === name)
  if (found === undefined) throw new Error(`--${name} is not among the daemon's options`)
  return found
}

const described = <A>(name: string, flag: Flag.Flag<A>): Flag.Flag<A> => {
  const { doc, metavar } = optionOf(name)
  const with_ = Flag.withDescription(flag, doc)
  return metavar === undefined ? with_ : Flag.withMetavar(with_, metavar)
}

const text = (name: string) => described(name, Flag.optional(Flag.String(name)))
const texts = (name: string) => described(name, Flag.atLeast(Flag.String(name), 0))
const bool = (name: string) =>
  described(name, Flag.Boolean(name).pipe(Flag.withoutNegation, Flag.withDefault(false)))

/** To be spread into a command's own. */
export const flags = {
  daemon: bool("daemon"),
  nodaemon: bool("nodaemon"),
  rundir: text("rundir"),
  pidfile: text("pidfile"),
  logfile: text("logfile"),
  logFormat: text("log-format"),
  logLevel: texts("log-level"),
  syslog: bool("syslog"),
  syslogTo: text("syslog-to"),
  prefix: text("prefix"),
  config: text("config"),
  set: texts("set"),
  envFile: text("env-file"),
  umask: text("umask"),
  uid: text("uid"),
  gid: text("gid"),
  euid: bool("euid"),
  chroot: text("chroot"),
  workers: text("workers"),
  threads: text("threads"),
  profile: text("profile"),
  inspect: text("inspect"),
  startTimeout: text("start-timeout")
} as const

type Flags = typeof flags

const each = (all: Flags, change: (flag: Flag.Flag<unknown>, key: string) => Flag.Flag<unknown>): Flags =>
  Object.fromEntries(Object.entries(all).map(([key, flag]) => [key, change(flag, key)])) as unknown as Flags

/** The same, all but those of these names hidden. */
export const withHidden = (all: Flags, shown: ReadonlyArray<keyof Flags>): Flags =>
  each(all, (flag, key) => (shown.some((name) => name === key) ? flag : Flag.withHidden(flag)))

/** The same, with their short spellings in their descriptions, but those that are the command's own. */
export const withShort = (all: Flags, own: ReadonlySet<string>): Flags =>
  each(all, (flag, key) => {
    const { aliases, doc } = optionOf(optionNameOf(key))
    const short = aliases.find((alias) => alias.length === 2 && !own.has(alias))
    return short === undefined ? flag : Flag.withDescription(flag, `${doc} (${short})`)
  })

export type Given = Command.Command.Config.Infer<typeof flags>

/** The keys of `flags`, and the option that each of them is. */
export const optionNameOf = (key: string): string =>
  key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)

const variableOf = (name: string): string => `SPINDLE_${name.replaceAll("-", "_").toUpperCase()}`

/** What the daemon is to do, checked. */
export interface DaemonSettings {
  readonly daemon: boolean
  readonly rundir: string | undefined
  /** Empty: none. Undefined: the application's name. */
  readonly pidfile: string | undefined
  readonly logfile: string | undefined
  readonly logFormat: "text" | "json" | undefined
  readonly logLevel: ReadonlyArray<string>
  readonly syslog: SyslogTarget.SyslogTarget | undefined
  readonly prefix: string | undefined
  readonly config: string | undefined
  readonly set: ReadonlyArray<string>
  readonly envFile: string | undefined
  readonly umask: number | undefined
  readonly uid: string | undefined
  readonly gid: string | undefined
  readonly euid: boolean
  readonly workers: number
  readonly threads: number
  readonly profile: "cpu" | "heap" | undefined
  readonly inspect: string | undefined
  readonly startTimeout: Duration.Duration
}

const startTimeoutDefault = Duration.seconds(90)
const daemonUmask = 0o077

type Environment = Readonly<Record<string, string | undefined>>

/** The option as it was said: on the line, or else in the environment. */
const spelled = (given: Given, name: string): string => {
  const key = Object.keys(flags).find((key) => optionNameOf(key) === name) as keyof Given
  const value: Option.Option<string> | ReadonlyArray<string> | boolean = given[key]
  const isOnLine =
    typeof value === "boolean" ? value : Option.isOption(value) ? Option.isSome(value) : value.length > 0
  return isOnLine ? `--${name}` : variableOf(name)
}

const truths: Readonly<Record<string, boolean>> = {
  "1": true,
  true: true,
  yes: true,
  "0": false,
  false: false,
  no: false,
  "": false
}

/** What was asked for, or the first thing in it that cannot be. */
export const settings = (given: Given, environment: Environment): Effect.Effect<DaemonSettings, UsageError> =>
  Effect.gen(function* () {
    const bad = (name: string, value: string, expected: string): UsageError =>
      new UsageError({ detail: `${spelled(given, name)} is "${visible(value)}", not ${expected}` })
    const one = (name: string, value: Option.Option<string>): string | undefined =>
      Option.getOrElse(value, () => environment[variableOf(name)])
    const many = (name: string, values: ReadonlyArray<string>): ReadonlyArray<string> => {
      const variable = environment[variableOf(name)]
      return values.length > 0 || variable === undefined ? values : [variable]
    }
    const either = (name: string, value: boolean): Effect.Effect<boolean, UsageError> => {
      const variable = environment[variableOf(name)]
      if (value || variable === undefined) return Effect.succeed(value)
      const truth = truths[variable.toLowerCase()]
      return truth === undefined ? Effect.fail(bad(name, variable, "yes or no")) : Effect.succeed(truth)
    }
    const oneOf = <const A extends string>(
      name: string,
      value: string | undefined,
      choices: ReadonlyArray<A>
    ): Effect.Effect<A | undefined, UsageError> => {
      if (value === undefined) return Effect.succeed(undefined)
      const found = choices.find((choice) => choice === value)
      return found === undefined ? Effect.fail(bad(name, value, choices.join(" or "))) : Effect.succeed(found)
    }
    const count = (name: string, value: string | undefined): Effect.Effect<number, UsageError> => {
      if (value === undefined) return Effect.succeed(0)
      return /^[0-9]{1,4}$/.test(value)
        ? Effect.succeed(Number(value))
        : Effect.fail(bad(name, value, "a whole number from 0 to 9999"))
    }

    const daemon = yield* either("daemon", given.daemon)
    if (given.daemon && given.nodaemon) {
      return yield* new UsageError({ detail: "--daemon and --nodaemon exclude one another" })
    }
    const chroot = one("chroot", given.chroot)
    if (chroot !== undefined) {
      return yield* new UsageError({
        detail: "--chroot is refused: Node has no way to change its root directory",
        hint: `run it by systemd with RootDirectory=${chroot}, or: chroot ${chroot} spindle ...`
      })
    }
    const mask = one("umask", given.umask)
    if (mask !== undefined && !/^0?o?[0-7]{1,4}$/.test(mask)) {
      return yield* bad("umask", mask, "an octal number like 0022")
    }
    const timeout = one("start-timeout", given.startTimeout)
    const startTimeout = timeout === undefined ? Option.some(startTimeoutDefault) : durationOf(timeout)
    if (Option.isNone(startTimeout)) {
      return yield* bad("start-timeout", timeout!, 'a duration like "90 seconds"')
    }
    const target =
      one("syslog-to", given.syslogTo) ?? ((yield* either("syslog", given.syslog)) ? "local" : undefined)
    const syslog = target === undefined ? undefined : SyslogTarget.parse(target)
    if (syslog !== undefined && Result.isFailure(syslog)) {
      return yield* new UsageError({ detail: `${spelled(given, "syslog-to")}: ${syslog.failure.message}` })
    }
    const workers = yield* count("workers", one("workers", given.workers))
    const threads = yield* count("threads", one("threads", given.threads))
    if (workers > 0 && threads > 0) {
      return yield* new UsageError({ detail: "--workers and --threads exclude one another" })
    }
    const runsInBackground = daemon && !given.nodaemon
    return {
      daemon: runsInBackground,
      rundir: one("rundir", given.rundir),
      pidfile: one("pidfile", given.pidfile),
      logfile: one("logfile", given.logfile),
      logFormat: yield* oneOf("log-format", one("log-format", given.logFormat), ["text", "json"]),
      logLevel: many("log-level", given.logLevel),
      syslog: syslog?.success,
      prefix: one("prefix", given.prefix),
      config: one("config", given.config),
      set: given.set,
      envFile: one("env-file", given.envFile),
      umask:
        mask !== undefined
          ? Number.parseInt(mask.replace("o", ""), 8)
          : runsInBackground
            ? daemonUmask
            : undefined,
      uid: one("uid", given.uid),
      gid: one("gid", given.gid),
      euid: yield* either("euid", given.euid),
      workers,
      threads,
      profile: yield* oneOf("profile", one("profile", given.profile), ["cpu", "heap"]),
      inspect: one("inspect", given.inspect),
      startTimeout: startTimeout.value
    }
  })

/** `90`, `90s` and `90 seconds` alike. */
const durationOf = (text: string): Option.Option<Duration.Duration> => {
  const [, amount, unit] = /^\s*([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)\s*$/i.exec(text) ?? []
  if (amount === undefined) return Option.none()
  const millis = unitMillis[unit ?? ""]
  return millis === undefined ? Option.none() : Option.some(Duration.millis(Number(amount) * millis))
}

const unitMillis: Readonly<Record<string, number | undefined>> = {
  "": 1_000,
  ms: 1,
  millis: 1,
  s: 1_000,
  second: 1_000,
  seconds: 1_000,
  m: 60_000,
  minute: 60_000,
  minutes: 60_000
}
