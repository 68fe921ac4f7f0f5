/**
 * A directory made of files: `alice` is what `DIRECTORY/alice.plan` says. Files are read when somebody asks.
 *
 * Not the `.plan` files of home directories: a daemon that follows a path into a home reads whatever its owner links there
 * (RFC 1288 3.2.4). Here a name is a file's name and nothing else, only files in this one directory are read, and
 * their beginning only. Who writes into it decides what is told.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { FingerDirectory, type Person } from "./FingerDirectory.ts"

export interface Options {
  readonly directory: string
  /** What is told of a file at most. Default 16,384. */
  readonly planBytesMax?: number | undefined
  /** People who are listed. Default 1,000. */
  readonly peopleMax?: number | undefined
}

const suffix = ".plan"
/** A longer file is nobody's plan. */
const fileBytesMax = 1_048_576n
/** No path, no hidden file, nothing that a shell or terminal would take for more. */
const login = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/

export const make = (
  options: Options
): Effect.Effect<FingerDirectory["Service"], never, FileSystem.FileSystem> =>
  Effect.map(FileSystem.FileSystem, (files) => {
    const { directory, peopleMax = 1_000, planBytesMax = 16_384 } = options
    const decoder = new TextDecoder()

    const read = Effect.fnUntraced(function* (name: string) {
      const path = `${directory}/${name}${suffix}`
      const { size, type } = yield* files.stat(path)
      // A FIFO would never end, and a device has no end.
      if (type !== "File" || size > fileBytesMax) return []
      const bytes = yield* files.readFile(path)
      return [{ login: name, plan: decoder.decode(bytes.subarray(0, planBytesMax)) } satisfies Person]
    })

    return {
      list: files.readDirectory(directory).pipe(
        Effect.map((names) =>
          names
            .filter((name) => name.endsWith(suffix) && login.test(name.slice(0, -suffix.length)))
            .sort()
            .slice(0, peopleMax)
            .map((name): Person => ({ login: name.slice(0, -suffix.length) }))
        ),
        Effect.tapError((error) => Effect.logWarning("the plans cannot be listed", error)),
        Effect.orElseSucceed(() => [])
      ),
      // Whatever is wrong with a file: there is nobody of that name.
      find: (user) =>
        login.test(user)
          ? read(user).pipe(
              Effect.tapError((error) => Effect.logDebug("no plan", error)),
              Effect.orElseSucceed(() => [])
            )
          : Effect.succeed([])
    }
  })

export const layer = (options: Options): Layer.Layer<FingerDirectory, never, FileSystem.FileSystem> =>
  Layer.effect(FingerDirectory, make(options))
