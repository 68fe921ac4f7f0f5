/** Child processes of Node. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Processes } from "../reactor/ProcessesService.ts"
import { Turn } from "../reactor/Turn.ts"
import * as NodeProcess from "./NodeProcess.ts"
import * as NodeProcessPty from "./NodeProcessPty.ts"

export interface Options {
  /** Loads the library for terminals. Default: `node-pty`, if it is installed. */
  readonly loadPty?: NodeProcessPty.Load | undefined
}

export const make = ({ loadPty = NodeProcessPty.load }: Options = {}): Processes["Service"] => {
  const turn = new Turn(process.nextTick)
  return Processes.of({
    spawn: (command) =>
      Effect.map(
        Effect.acquireRelease(NodeProcess.start(turn, command), ({ release }) => release),
        ({ process }) => process
      ),
    spawnPty: (command) =>
      Effect.flatMap(NodeProcessPty.libraryOf(command, loadPty), (library) =>
        Effect.map(
          Effect.acquireRelease(NodeProcessPty.start(turn, command, library), ({ release }) => release),
          ({ process }) => process
        )
      )
  })
}

export const layer: Layer.Layer<Processes> = Layer.sync(Processes, () => make())

export const layerWith = (options: Options): Layer.Layer<Processes> =>
  Layer.sync(Processes, () => make(options))
