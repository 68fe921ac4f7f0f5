/** Files that are nowhere, for tests of configuration. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ConfigurationFiles } from "../../src/app/ConfigurationFile.ts"
import { TextFileError } from "../../src/node/NodeTextFile.ts"

/** These files are all there is; the texts may be changed meanwhile. */
export const files = (texts: Readonly<Record<string, string>>): Layer.Layer<never> =>
  Layer.succeed(ConfigurationFiles, (path, bytesMax) => {
    const text = texts[path]
    if (text !== undefined && text.length <= bytesMax) return Effect.succeed(text)
    return Effect.fail(
      new TextFileError({
        path,
        reason: text === undefined ? "NotFound" : "TooLarge",
        detail: text === undefined ? "there is no such file" : `it has more than ${bytesMax} bytes`,
        errno: undefined
      })
    )
  })
