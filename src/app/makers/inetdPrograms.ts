/** Programs that are started for a connection (`nowait`), or for a socket (`wait`), with it as their standard input and output. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Program } from "../../inetd/InetdConfWire.ts"
import { StartLimit } from "../../inetd/StartLimit.ts"
import * as NodeSocketGift from "../../node/NodeSocketGift.ts"
import type { WaitingSocket } from "../../node/NodeWaitingSocket.ts"
import type { Protocol } from "../../protocol/Protocol.ts"
import * as PeerKey from "../../protocol/PeerKey.ts"
import type { Running } from "../../reactor/Process.ts"
import type { ReadPipe } from "../../reactor/Process.ts"
import { Processes } from "../../reactor/ProcessesService.ts"
import type { SpawnFailed } from "../../reactor/ProcessError.ts"
import type { TransportError } from "../../reactor/ReactorError.ts"
import type { Transport } from "../../reactor/Transport.ts"

export interface Options {
  readonly program: Program
  /** As whom it runs; `undefined`: as this process. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined
  /** How often it may be started in a minute. */
  readonly startsMax: number
}

const commandOf = ({ owner, program }: Options) => ({
  program: program.path,
  argv0: program.argv0,
  args: program.args,
  ...owner
})

const tell = (error: SpawnFailed) => Effect.logError(error.message)

/** Waits for its end; says how that was, where it was not well. */
const watch = (process: Running) =>
  Effect.flatMap(process.exited, (end) => (end._tag === "Done" ? Effect.void : Effect.logInfo(end.message)))

// --- a connection ---------------------------------------------------------------------------------------

const keyOf = PeerKey.make()

/**
 * The program gets the connection's socket itself, so that it sees who calls. What is no socket of the system's (a network in memory)
 * goes through pipes. Above the limit connections are closed. The end of the connection's scope ends the program.
 */
export const onConnection = (options: Options): Protocol<Transport, TransportError, Processes> => {
  const limit = new StartLimit(options.startsMax)
  let told = false
  return Effect.fnUntraced(function* (transport) {
    if (limit.take(yield* Clock.currentTimeMillis) > 0) {
      if (!told) {
        yield* Effect.logError(
          `started ${options.startsMax} times within a minute: connections are closed until that is over`
        )
      }
      told = true
      return
    }
    told = false
    const { spawn } = yield* Processes
    const command = { ...commandOf(options), env: { REMOTE_HOST: keyOf(transport) } }
    const gift = yield* Effect.result(NodeSocketGift.take(transport))
    if (gift._tag === "Success") {
      const { close, fd } = gift.success
      const started = spawn({ ...command, childFDs: { 0: fd, 1: fd, 2: fd } })
      yield* started.pipe(Effect.ensuring(close), Effect.flatMap(watch), Effect.catch(tell))
      return
    }
    const started = yield* Effect.result(spawn(command))
    if (started._tag === "Failure") return yield* tell(started.failure)
    const process = started.success
    // A program that does not read any more may still have something to say.
    const feeding = Effect.andThen(
      Effect.ignore(transport.receiveEach(process.stdin.send)),
      Effect.ignore(process.stdin.end)
    )
    yield* Effect.forkScoped(feeding, { startImmediately: true })
    const saying = (pipe: ReadPipe) => pipe.receiveEach(transport.send)
    yield* Effect.all([saying(process.stdout), saying(process.stderr)], { concurrency: 2, discard: true })
    yield* watch(process)
  }, Effect.scoped)
}

// --- a socket -------------------------------------------------------------------------------------------

/**
 * Whenever somebody calls, the program is started with the socket, and nothing more is done about it until it has ended. A
 * program that is started too often has to wait.
 */
export const onSocket = (options: Options) => {
  const limit = new StartLimit(options.startsMax)
  return Effect.fnUntraced(function* ({ due, fd }: WaitingSocket) {
    const { spawn } = yield* Processes
    while (true) {
      yield* due
      const pause = limit.take(yield* Clock.currentTimeMillis)
      if (pause > 0) {
        yield* Effect.logError(
          `started ${options.startsMax} times within a minute: nothing is started until that is over`
        )
        yield* Effect.sleep(pause)
        continue
      }
      const started = spawn({ ...commandOf(options), childFDs: { 0: fd, 1: fd, 2: fd } })
      yield* Effect.scoped(Effect.flatMap(started, watch)).pipe(Effect.catch(tell))
    }
  })
}
