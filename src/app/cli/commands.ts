/**
 * The commands that are always there, as far as their lines go: what they do is loaded when one of them is run. Commands of
 * plugins are made in `PluginCommand`.
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { flags as daemonFlags, withHidden, withShort } from "./DaemonFlags.ts"

/** Loads the module that does it, and has it done. */
const lazily = <M, A, E, R>(load: () => Promise<M>, use: (module: M) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(Effect.promise(load), use)

const pidfile = Flag.String("pidfile").pipe(
  Flag.optional,
  Flag.withMetavar("FILE"),
  Flag.withDescription("The application's pid file; default the one NAME.pid that is here")
)

const rundir = Flag.String("rundir").pipe(
  Flag.withAlias("d"),
  Flag.optional,
  Flag.withMetavar("DIRECTORY"),
  Flag.withDescription("Where the application runs; default here")
)

const name = Argument.String("name").pipe(
  Argument.optional,
  Argument.withDescription("The application's name; needed where several run in one directory")
)

/** Which application is meant. */
const target = { name, pidfile, rundir } as const

const json = Flag.Boolean("json").pipe(
  Flag.withoutNegation,
  Flag.withDefault(false),
  Flag.withDescription("As JSON")
)

const timeout = (doc: string) =>
  Flag.Finite("timeout").pipe(
    Flag.withDefault(90),
    Flag.withMetavar("SECONDS"),
    Flag.withDescription(`${doc}; default 90`)
  )

export const run = Command.make(
  "run",
  {
    file: Argument.String("file").pipe(
      Argument.withDescription("TypeScript or JavaScript; its default export is an Application")
    ),
    ...withShort(daemonFlags, new Set())
  },
  (input) =>
    lazily(
      () => import("./RunCommand.ts"),
      (module) => module.runFile(input)
    )
).pipe(Command.withDescription("Run an application"))

const status = Command.make("status", { ...target, json }, (input) =>
  lazily(
    () => import("./ControlCommands.ts"),
    (module) => module.status(input)
  )
).pipe(Command.withDescription("Show a running application and its services"))

const stop = Command.make(
  "stop",
  {
    ...target,
    timeout: timeout("How long to wait for its end"),
    force: Flag.Boolean("force").pipe(
      Flag.withoutNegation,
      Flag.withDefault(false),
      Flag.withDescription("Kill it when that time is over")
    )
  },
  (input) =>
    lazily(
      () => import("./ControlCommands.ts"),
      (module) => module.stop(input)
    )
).pipe(Command.withDescription("Stop a running application, and wait until it is gone"))

const reload = Command.make("reload", target, (input) =>
  lazily(
    () => import("./ControlCommands.ts"),
    (module) => module.reload(input)
  )
).pipe(
  Command.withDescription("Have it read its configuration and certificates again; no connection is dropped")
)

const restart = Command.make(
  "restart",
  {
    ...target,
    service: Flag.String("service").pipe(
      Flag.optional,
      Flag.withMetavar("PATH"),
      Flag.withDescription("Only this service of it, as status shows it")
    )
  },
  (input) =>
    lazily(
      () => import("./ControlCommands.ts"),
      (module) => module.restart(input)
    )
).pipe(Command.withDescription("Put a new process in its place, on the same sockets; no connection is lost"))

const logs = Command.make(
  "logs",
  {
    ...target,
    lines: Flag.Int("lines").pipe(
      Flag.withAlias("n"),
      Flag.withDefault(100),
      Flag.withMetavar("COUNT"),
      Flag.withDescription("How many of the last ones; default 100")
    ),
    follow: Flag.Boolean("follow").pipe(
      Flag.withAlias("f"),
      Flag.withoutNegation,
      Flag.withDefault(false),
      Flag.withDescription("And those that come, until Ctrl-C")
    )
  },
  (input) =>
    lazily(
      () => import("./ControlCommands.ts"),
      (module) => module.logs(input)
    )
).pipe(Command.withDescription("What a running application logged last"))

const plugins = Command.make(
  "plugins",
  {
    kind: Argument.String("kind").pipe(
      Argument.optional,
      Argument.withDescription("Only those of one kind: service, endpoint, ...")
    ),
    check: Flag.Boolean("check").pipe(
      Flag.withoutNegation,
      Flag.withDefault(false),
      Flag.withDescription("Load each of them, and tell which are broken")
    ),
    json
  },
  (input) =>
    lazily(
      () => Promise.all([import("./PluginsCommand.ts"), import("./Plugins.ts")]),
      ([command, { layer }]) => Effect.provide(command.plugins(input), layer)
    )
).pipe(Command.withDescription("List the plugins that are installed, without loading them"))

const endpoints = Command.make(
  "endpoints",
  {
    use: Argument.Literals("use", ["server", "client", "udp"]).pipe(
      Argument.optional,
      Argument.withDescription("server, client or udp; default all")
    )
  },
  (input) =>
    lazily(
      () => import("./EndpointsCommand.ts"),
      (module) => module.endpoints(Option.getOrUndefined(input.use))
    )
).pipe(Command.withDescription("What each kind of endpoint takes"))

const config = Command.make(
  "config",
  {
    file: Argument.String("file").pipe(Argument.withDescription("The application, as for run")),
    json,
    // A line of `run` is one of this, too. What makes no difference here is not shown.
    ...withHidden(withShort(daemonFlags, new Set()), ["config", "set", "envFile", "rundir"])
  },
  (input) =>
    lazily(
      () => import("./ConfigCommand.ts"),
      (module) => module.config(input)
    )
).pipe(Command.withDescription("Show what configuration holds, and whence; secrets are not shown"))

const completions = Command.make(
  "completions",
  {
    shell: Argument.Literals("shell", ["bash", "zsh", "fish", "powershell"]).pipe(
      Argument.withDescription("bash, zsh, fish or powershell")
    )
  },
  (input) =>
    lazily(
      () => import("./CompletionsCommand.ts"),
      (module) => module.completions(input.shell)
    )
).pipe(Command.withDescription("Print what a shell needs to complete this command"))

const newProject = Command.make("new", { directory: Argument.String("directory") }, (input) =>
  lazily(
    () => import("./NewCommand.ts"),
    (module) => module.newProject(input.directory)
  )
).pipe(Command.withDescription("Make a starter project, with tests"))

const systemdUnit = Command.make(
  "systemd-unit",
  {
    command: Argument.String("command").pipe(
      Argument.variadic(),
      Argument.withDescription(
        "The command that is to be the service: run app.ts, or a plugin, with its options"
      )
    ),
    user: Flag.String("user").pipe(
      Flag.optional,
      Flag.withMetavar("USER"),
      Flag.withDescription("Default: one that systemd makes up")
    ),
    privilegedPorts: Flag.Boolean("privileged-ports").pipe(
      Flag.withoutNegation,
      Flag.withDefault(false),
      Flag.withDescription("Let it bind ports below 1024")
    ),
    name: Flag.String("name").pipe(
      Flag.optional,
      Flag.withMetavar("NAME"),
      Flag.withDescription("Default: that of the file or plugin")
    )
  },
  (input) =>
    lazily(
      () => import("./SystemdUnitCommand.ts"),
      (module) => module.systemdUnit(input)
    )
).pipe(Command.withDescription("Print a hardened unit file for systemd"))

/** In the order in which help lists them. */
export const all = [
  run,
  status,
  stop,
  reload,
  restart,
  logs,
  plugins,
  endpoints,
  config,
  completions,
  newProject,
  systemdUnit
] as const
