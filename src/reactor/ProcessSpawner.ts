/**
 * Effect's `ChildProcess` over `Processes`: commands made for it run on whatever runs ours, and what ends by a signal says so, in the cause
 * of its error (`Terminated`). `unref` does nothing: a process ends with its scope.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as PlatformError from "effect/PlatformError"
import * as ChildProcess from "effect/process/ChildProcess"
import * as Spawner from "effect/process/ChildProcessSpawner"
import type * as Scope from "effect/Scope"
import * as Sink from "effect/Sink"
import * as Stream from "effect/Stream"
import type { ChildFD, ChildFDs, Command } from "./ProcessCommand.ts"
import { type SpawnFailed } from "./ProcessError.ts"
import { Processes } from "./ProcessesService.ts"
import type { ProcessSignal } from "./ProcessSignal.ts"
import * as ProcessStream from "./ProcessStream.ts"
import type { Running } from "./Process.ts"

type Standard = ChildProcess.StandardCommand
type Bytes = Stream.Stream<Uint8Array, PlatformError.PlatformError>
type BytesSink = Sink.Sink<void, Uint8Array, never, PlatformError.PlatformError>
type Spawned = Effect.Effect<Spawner.ChildProcessHandle, PlatformError.PlatformError, Scope.Scope>

/** Effect's spawner, by ours. */
export const layer: Layer.Layer<Spawner.ChildProcessSpawner, never, Processes> = Layer.effect(
  Spawner.ChildProcessSpawner,
  Effect.map(Processes, (service) => Spawner.make((command) => spawn(service, command)))
)

const spawn = (service: Processes["Service"], command: ChildProcess.Command): Spawned =>
  command._tag === "StandardCommand"
    ? spawnStandard(service, command)
    : Effect.gen(function* () {
        const left = yield* spawn(service, command.left)
        const right = yield* spawn(
          service,
          withInput(command.right, sourceOf(left, command.options), command.options)
        )
        const both = [right, left]
        return Spawner.makeHandle({
          ...right,
          stdin: left.stdin,
          kill: (options) =>
            Effect.forEach(both, (one) => Effect.ignore(one.kill(options)), { discard: true })
        })
      })

const sourceOf = (
  handle: Spawner.ChildProcessHandle,
  { from = "stdout" }: ChildProcess.PipeOptions
): Bytes => {
  if (from === "stdout" || from === "stderr" || from === "all") return handle[from]
  return handle.getOutputFd(ChildProcess.parseFdName(from) ?? 1)
}

/** The first of its commands takes the input. */
const withInput = (
  command: ChildProcess.Command,
  stream: Bytes,
  options: ChildProcess.PipeOptions
): ChildProcess.Command => {
  if (command._tag === "PipedCommand") {
    return ChildProcess.pipeTo(withInput(command.left, stream, options), command.right, command.options)
  }
  const { to = "stdin" } = options
  const { additionalFds = {}, ...others } = command.options
  return ChildProcess.make(command.command, command.args, {
    ...others,
    additionalFds: to === "stdin" ? additionalFds : { ...additionalFds, [to]: { type: "input", stream } },
    ...(to === "stdin" ? { stdin: stream } : {})
  })
}

// --- one command ----------------------------------------------------------------------------------------

const spawnStandard = Effect.fnUntraced(function* (service: Processes["Service"], command: Standard) {
  const { options } = command
  if (options.shell !== undefined && options.shell !== false && command.args.length > 0) {
    const description = "a shell takes the whole script as the command, and no arguments"
    return yield* PlatformError.badArgument({ module: "ChildProcess", method: "spawn", description })
  }
  const process: Running = yield* Effect.mapError(service.spawn(commandOf(command)), spawnError)
  const inputFailed = yield* Deferred.make<never, PlatformError.PlatformError>()
  const feed = (stream: Bytes, sink: BytesSink) =>
    Effect.forkScoped(
      Stream.run(
        Stream.tapError(stream, (error) => Deferred.fail(inputFailed, error)),
        sink
      )
    )

  const given = streamOf(options.stdin)
  const stdin = sinkOf(process, 0, endsInput(options.stdin))
  if (given !== undefined) yield* feed(given, stdin)
  for (const [name, config] of Object.entries(options.additionalFds ?? {})) {
    const fd = ChildProcess.parseFdName(name)
    if (fd !== undefined && config.type !== "output" && config.stream !== undefined) {
      yield* feed(config.stream, sinkOf(process, fd, true))
    }
  }
  const stdout = outputOf(process, 1, options.stdout)
  const stderr = outputOf(process, 2, options.stderr)
  return Spawner.makeHandle({
    pid: Spawner.ProcessId(process.pid),
    exitCode: Effect.raceFirst(exitCodeOf(process), Deferred.await(inputFailed)),
    isRunning: Effect.sync(() => process.end === undefined),
    kill: (kill) => killed(process, { ...options, ...kill }),
    stdin,
    stdout,
    stderr,
    all: Stream.merge(stdout, stderr),
    getInputFd: (fd) => sinkOf(process, fd, true),
    getOutputFd: (fd) => {
      const config = options.additionalFds?.[`fd${fd}`]
      const sink = config === undefined || config.type === "input" ? undefined : config.sink
      const bytes = bytesOf(process, fd)
      return sink === undefined ? bytes : Stream.transduce(bytes, sink)
    },
    unref: Effect.succeed(Effect.void)
  })
})

const commandOf = ({ args, command, options }: Standard): Command => {
  const { cwd, detached, env, extendEnv, forceKillAfter, killSignal, shell } = options
  const childFDs: Record<number, ChildFD> = {
    0: modeOf(options.stdin, "w"),
    1: modeOf(options.stdout, "r"),
    2: modeOf(options.stderr, "r")
  }
  for (const [name, { type }] of Object.entries(options.additionalFds ?? {})) {
    const fd = ChildProcess.parseFdName(name)
    if (fd !== undefined) childFDs[fd] = type === "input" ? "w" : type === "output" ? "r" : "rw"
  }
  const inShell = shell !== undefined && shell !== false
  return {
    program: inShell ? (shell === true ? "/bin/sh" : shell) : command,
    args: inShell ? ["-c", command] : args,
    cwd,
    env,
    inheritEnv: env === undefined || extendEnv === true,
    group: detached === false ? "shared" : "own",
    endSignal: killSignal === undefined ? undefined : nameOf(killSignal),
    grace: forceKillAfter,
    childFDs: childFDs as ChildFDs
  }
}

const nameOf = (signal: string): ProcessSignal => signal.replace(/^SIG/, "") as ProcessSignal

type Given = ChildProcess.CommandOptions["stdin"] | ChildProcess.CommandOptions["stdout"]

/** What stands in an option, alone or among others. */
const plainOf = (given: Given) =>
  given === undefined || typeof given === "string" || Stream.isStream(given) || Sink.isSink(given)
    ? given
    : given.stream

const modeOf = (given: Given, pipe: "r" | "w"): ChildFD => {
  const plain = plainOf(given)
  return plain === "inherit" ? "inherit" : plain === "ignore" ? "null" : pipe
}

const streamOf = (given: ChildProcess.CommandOptions["stdin"]): Bytes | undefined => {
  const plain = plainOf(given)
  return Stream.isStream(plain) ? (plain as Bytes) : undefined
}

const endsInput = (given: ChildProcess.CommandOptions["stdin"]): boolean =>
  given === undefined || typeof given === "string" || Stream.isStream(given) || given.endOnDone !== false

const bytesOf = (process: Running, fd: number): Bytes => {
  const pipe = process.pipe(fd)
  return pipe === undefined
    ? Stream.empty
    : Stream.mapError(ProcessStream.stream(pipe), pipeError(process, fd))
}

const outputOf = (process: Running, fd: number, given: ChildProcess.CommandOptions["stdout"]): Bytes => {
  const plain = plainOf(given)
  const bytes = bytesOf(process, fd)
  return Sink.isSink(plain)
    ? Stream.transduce(bytes, plain as Sink.Sink<Uint8Array, Uint8Array, never, PlatformError.PlatformError>)
    : bytes
}

const sinkOf = (process: Running, fd: number, ends: boolean): BytesSink => {
  const pipe = process.pipe(fd)
  if (pipe === undefined) return Sink.drain
  const sink = ends ? ProcessStream.sink(pipe) : Sink.forEach((bytes: Uint8Array) => pipe.send(bytes))
  return Sink.mapError(sink, pipeError(process, fd)) as BytesSink
}

const exitCodeOf = (process: Running) =>
  Effect.flatMap(process.exited, (end) =>
    end.exitCode === undefined
      ? Effect.fail(failure("Unknown", "exitCode", process.program, end.message, end))
      : Effect.succeed(Spawner.ExitCode(end.exitCode))
  )

const killed = (
  process: Running,
  { forceKillAfter, killSignal = "SIGTERM" }: ChildProcess.KillOptions
): Effect.Effect<void, PlatformError.PlatformError> =>
  Effect.gen(function* () {
    yield* Effect.ignore(process.signalGroup(nameOf(killSignal)))
    if (forceKillAfter !== undefined) {
      yield* Effect.timeoutOption(process.exited, forceKillAfter)
      if (process.end === undefined) yield* Effect.ignore(process.signalGroup("KILL"))
    }
    yield* process.exited
  })

// --- errors ---------------------------------------------------------------------------------------------

const failure = (
  tag: PlatformError.SystemErrorTag,
  method: string,
  program: string,
  description: string,
  cause: unknown
) =>
  PlatformError.systemError({
    _tag: tag,
    module: "ChildProcess",
    method,
    pathOrDescriptor: program,
    description,
    cause
  })

const tags: Readonly<Partial<Record<SpawnFailed["reason"]["_tag"], PlatformError.SystemErrorTag>>> = {
  ProgramNotFound: "NotFound",
  BadDirectory: "NotFound",
  NotExecutable: "PermissionDenied",
  NotPermitted: "PermissionDenied",
  BadDescriptor: "BadResource",
  OutOfResources: "Busy"
}

const spawnError = (error: SpawnFailed): PlatformError.PlatformError =>
  error.reason._tag === "InvalidCommand"
    ? PlatformError.badArgument({
        module: "ChildProcess",
        method: "spawn",
        description: error.reason.detail,
        cause: error
      })
    : failure(tags[error.reason._tag] ?? "Unknown", "spawn", error.program, error.reason.detail, error)

const pipeError =
  (process: Running, fd: number) =>
  (error: Error): PlatformError.PlatformError =>
    failure("Unknown", `descriptor ${fd}`, process.program, error.message, error)
