/**
 * The options of the daemon, as data: what `twistd` and `twist` know, by modern names, with their spellings accepted. Here
 * stands how each is written; what it means is in `DaemonSettings`.
 */

export interface DaemonOption {
  /** Without the dashes. */
  readonly name: string
  /** Other spellings, with their dashes: Twisted's, and short ones. */
  readonly aliases: ReadonlyArray<string>
  /** Whether a value follows. */
  readonly takesValue: boolean
  /** The value's kind, for people. */
  readonly metavar?: string | undefined
  readonly doc: string
}

const flag = (name: string, doc: string, ...aliases: ReadonlyArray<string>): DaemonOption => ({
  name,
  aliases,
  takesValue: false,
  doc
})

const option = (
  name: string,
  metavar: string,
  doc: string,
  ...aliases: ReadonlyArray<string>
): DaemonOption => ({ name, aliases, takesValue: true, metavar, doc })

/** In the order in which help lists them. */
export const all: ReadonlyArray<DaemonOption> = [
  flag("daemon", "Run in the background; return once every service is ready", "-D"),
  flag("nodaemon", "Run in the foreground, which is the default", "-n", "--foreground"),
  option("rundir", "DIRECTORY", "Change to this directory first", "-d"),
  option(
    "pidfile",
    "FILE",
    "Where the process number is kept; empty: nowhere, and no control. Default NAME.pid"
  ),
  option("logfile", "FILE", "Log to this file; - is standard output, + standard error", "-l", "--log-file"),
  option("log-format", "text|json", "How log lines are written; default text on a terminal, else json"),
  option(
    "log-level",
    "LEVEL|NAMESPACE=LEVEL",
    "What is logged; may be repeated, one namespace each. Default info"
  ),
  flag("syslog", "Log to the system's log, too"),
  option("syslog-to", "TARGET", "Log to that one, too: local, udp://HOST:PORT or tcp://HOST:PORT"),
  option("prefix", "WORD", "What the system's log is told that we are; default the application's name"),
  option("config", "FILE", "Configuration: JSON, YAML, TOML or .env", "-c"),
  option(
    "set",
    "KEY=VALUE",
    "One configuration value; stands above environment and file; may be repeated",
    "-s"
  ),
  option("env-file", "FILE", "Variables for the environment; those that are set already stay"),
  option("umask", "OCTAL", "File creation mask; default 0077 with --daemon"),
  option("uid", "USER", "User to become once ports are bound", "-u"),
  option("gid", "GROUP", "Group to become once ports are bound", "-g"),
  flag("euid", "Become that user in effect only"),
  option("chroot", "DIRECTORY", "Refused, with what to do instead"),
  option("workers", "COUNT", "So many processes that share the ports", "-w"),
  option("threads", "COUNT", "So many threads, each with a reactor and an application of its own"),
  option("profile", "cpu|heap", "Write a profile at the end, for Chrome's developer tools"),
  option("inspect", "HOST:PORT", "Let a debugger connect"),
  option(
    "start-timeout",
    "DURATION",
    "How long --daemon and restarts wait until all is ready; default 90 seconds"
  )
]

/** What Twisted has and Spindle refuses, and what to do instead. */
export const refused: Readonly<Record<string, string>> = {
  "--reactor": "there is one reactor; programs that want another one provide its Layer",
  "-r": "there is one reactor; programs that want another one provide its Layer",
  "--help-reactors": "there is one reactor",
  "--file": "applications are programs, not pickles: spindle run FILE",
  "-f": "applications are programs, not pickles: spindle run FILE",
  "--source": "applications are programs: spindle run FILE",
  "--encrypted": "applications are programs, not pickles: spindle run FILE",
  "-e": "applications are programs, not pickles: spindle run FILE",
  "--profiler": "say --profile cpu or --profile heap",
  "-p": "say --profile cpu or --profile heap",
  "--savestats": "say --profile cpu, and open the file in Chrome",
  "--spew": "say --log-level trace, or --inspect",
  "--debug": "say --inspect",
  "-b": "say --inspect",
  "--logger": "log observers are plugins: spindle plugins"
}

/** Accepted, for there is nothing to be done: no state is ever saved. */
export const ignored: ReadonlyArray<string> = ["--no_save", "-o", "--originalname"]

const spellings: ReadonlyMap<string, DaemonOption> = new Map(
  all.flatMap((option) =>
    [`--${option.name}`, ...option.aliases].map((spelling) => [spelling, option] as const)
  )
)

/** By any of its spellings, with the dashes. */
export const find = (spelling: string): DaemonOption | undefined => spellings.get(spelling)
