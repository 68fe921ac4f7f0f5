/** Names of levels, as people write them. */
import type * as LogLevel from "effect/LogLevel"
import { nearest } from "../reactor/EndpointSuggestion.ts"

export type Level = LogLevel.LogLevel

/** Effect's names, Twisted's, and what else is common. */
const levels: ReadonlyMap<string, Level> = new Map<string, Level>([
  ["trace", "Trace"],
  ["debug", "Debug"],
  ["info", "Info"],
  ["warn", "Warn"],
  ["warning", "Warn"],
  ["error", "Error"],
  ["critical", "Fatal"],
  ["fatal", "Fatal"],
  ["all", "All"],
  ["none", "None"],
  ["off", "None"]
])

/** The level of this name, upper or lower case; `undefined` if it names none. */
export const parse = (name: string): Level | undefined => levels.get(name.trim().toLowerCase())

/** What was probably meant by a name that is none. */
export const suggestion = (name: string): string | undefined => nearest(name, levels.keys())

/** All names, for help texts. Several may name one level. */
export const names: ReadonlyArray<string> = [...levels.keys()]

const written: Readonly<Record<Level, string>> = {
  All: "all",
  Trace: "trace",
  Debug: "debug",
  Info: "info",
  Warn: "warn",
  Error: "error",
  Fatal: "fatal",
  None: "none"
}

/** How a level is written in lines of the log: `info`. */
export const format = (level: Level): string => written[level]
