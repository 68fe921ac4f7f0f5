/** What a configuration asks for has a path; this is how it is written on a command line, in the environment, in a message. */
import type { Path } from "effect/ConfigProvider"
import { configCase } from "effect/String"

export type { Path }

/** `database.url`. What stands for the whole configuration is empty. */
export const textOf = (path: Path): string => path.join(".")

/** `DATABASE_URL`; `maxConnections` is `MAX_CONNECTIONS`. */
export const variableOf = (path: Path, prefix: string): string =>
  prefix + path.map((segment) => (typeof segment === "number" ? segment : configCase(segment))).join("_")

const secretParts = /PASSW(OR)?D|PASSPHRASE|PASSCODE|SECRET|CREDENTIAL|TOKEN|APIKEY|PRIVATEKEY/
const secretWords = new Set(["PASS", "PWD", "BEARER", "AUTHORIZATION", "COOKIE", "DSN"])
const keysOf = new Set(["API", "PRIVATE", "ACCESS", "SIGNING", "ENCRYPTION", "SESSION", "MASTER", "SHARED"])

/** Whether a key looks by its name as if what it holds is nobody's business: `token`, `dbPassword`, `api_key`. */
export const isSecretName = (path: Path): boolean =>
  path.some((segment) => {
    if (typeof segment === "number") return false
    const words = configCase(segment).split("_")
    return words.some(
      (word, i) =>
        secretParts.test(word) ||
        secretWords.has(word) ||
        (word === "KEY" && i > 0 && keysOf.has(words[i - 1]!))
    )
  })

const canonicalIndex = /^(0|[1-9][0-9]{0,8})$/

/** Whether these are the indexes of a list: `0`, `1`, ... */
export const areIndexes = (segments: ReadonlyArray<string>): boolean =>
  segments.length > 0 && segments.every((segment) => canonicalIndex.test(segment))
