/** Where a value of the configuration came from. */
import { visible } from "../result/VisibleText.ts"

/** `--set database.url=...` */
export interface Flag {
  readonly _tag: "Flag"
  readonly key: string
}

export interface Environment {
  readonly _tag: "Environment"
  readonly variable: string
}

/** A file of environment variables, `.env`. */
export interface EnvironmentFile {
  readonly _tag: "EnvironmentFile"
  readonly path: string
  readonly variable: string
  readonly line: number | undefined
}

/** A JSON, YAML or TOML file. */
export interface File {
  readonly _tag: "File"
  readonly path: string
  readonly key: string
  /** The first is 1; absent where it is not known. */
  readonly line: number | undefined
}

/** Nobody gave it: what the application takes then. */
export interface Default {
  readonly _tag: "Default"
}

export type Origin = Flag | Environment | EnvironmentFile | File | Default

const place = (path: string, line: number | undefined): string =>
  line === undefined ? path : `${path}:${line}`

/** In few words: `flag --set port`, `environment variable PORT`, `app.toml:3 (database.url)`, `.env:1 (PORT)`, `default`. */
export const describe = (origin: Origin): string => visible(words(origin))

const words = (origin: Origin): string => {
  switch (origin._tag) {
    case "Flag":
      return `flag --set ${origin.key}`
    case "Environment":
      return `environment variable ${origin.variable}`
    case "EnvironmentFile":
      return `${place(origin.path, origin.line)} (${origin.variable})`
    case "File":
      return origin.key === ""
        ? place(origin.path, origin.line)
        : `${place(origin.path, origin.line)} (${origin.key})`
    case "Default":
      return "default"
  }
}

/** The origin as plain JSON, without what is not known. */
export const toJson = (origin: Origin): Readonly<Record<string, string | number>> => {
  const { _tag, ...rest } = origin
  const known = Object.entries(rest).filter(([, value]) => value !== undefined) as ReadonlyArray<
    [string, string | number]
  >
  const from = _tag.charAt(0).toLowerCase() + _tag.slice(1)
  return { from, ...Object.fromEntries(known) }
}
