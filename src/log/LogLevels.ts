/**
 * What is logged: a level for all, and levels for namespaces. `warn,spindle.http=debug,app=none`.
 *
 * Twisted: `LogLevelFilterPredicate`. A namespace has the level of its longest prefix that has one, in whole words: `a`
 * holds for `a` and `a.b`, not for `ab`.
 */
import * as Data from "effect/Data"
import * as LogLevel from "effect/LogLevel"
import * as Result from "effect/Result"
import { visible } from "../result/VisibleText.ts"
import * as LogLevelName from "./LogLevelName.ts"

export interface LogLevels {
  /** For what no namespace below holds for. */
  readonly level: LogLevel.LogLevel
  readonly namespaces: ReadonlyMap<string, LogLevel.LogLevel>
}

/** A word that cannot be understood, and what it may have meant. */
export interface Problem {
  readonly word: string
  readonly reason: "UnknownLevel" | "InvalidNamespace" | "Duplicate"
  readonly suggestion: string | undefined
}

const told = ({ reason, suggestion, word }: Problem): string => {
  const said = visible(word)
  switch (reason) {
    case "UnknownLevel":
      return suggestion === undefined
        ? `"${said}" is no log level: these are ${LogLevelName.names.join(", ")}`
        : `"${said}" is no log level: did you mean ${suggestion}?`
    case "InvalidNamespace":
      return `"${said}" is no namespace: words with dots between them are, as in web.http`
    case "Duplicate":
      return said === "" ? "there are two levels for all" : `there are two levels for ${said}`
  }
}

/** Everything that is wrong with a text of levels. */
export class LogLevelsError extends Data.TaggedError("LogLevelsError")<{
  readonly text: string
  readonly problems: ReadonlyArray<Problem>
}> {
  override get message(): string {
    return this.problems.map(told).join("; ")
  }
}

/** Default: `Info` for all. */
export const make = (
  level: LogLevel.LogLevel = "Info",
  namespaces: Readonly<Record<string, LogLevel.LogLevel>> = {}
): LogLevels => ({ level, namespaces: new Map(Object.entries(namespaces)) })

// No character that has a meaning in the text of levels, or in a line of the log.
const namespacePattern = /^[^\s.,=#[\]\p{C}]+(\.[^\s.,=#[\]\p{C}]+)*$/u

/**
 * Levels from text: `info`, `http=debug`, or several of these with commas between them, in any order; several texts count as
 * one. Without a level for all it is `Info`. Names of levels are Effect's and Twisted's, upper or lower case.
 */
export const parse = (text: string | ReadonlyArray<string>): Result.Result<LogLevels, LogLevelsError> => {
  const whole = typeof text === "string" ? text : text.join(",")
  const problems: Array<Problem> = []
  const namespaces = new Map<string, LogLevel.LogLevel>()
  let forAll: LogLevel.LogLevel | undefined
  const complain = (reason: Problem["reason"], word: string, suggestion?: string) =>
    void problems.push({ word, reason, suggestion })

  for (const piece of whole.split(",").map((piece) => piece.trim())) {
    if (piece === "") continue
    const equals = piece.indexOf("=")
    const namespace = piece.slice(0, Math.max(0, equals)).trim()
    const name = piece.slice(equals + 1).trim()
    const level = LogLevelName.parse(name)
    if (equals >= 0 && !namespacePattern.test(namespace)) complain("InvalidNamespace", namespace)
    if (level === undefined) complain("UnknownLevel", name, LogLevelName.suggestion(name))
    if (equals < 0 ? forAll !== undefined : namespaces.has(namespace)) complain("Duplicate", namespace)
    if (level === undefined) continue
    if (equals < 0) forAll = level
    else namespaces.set(namespace, level)
  }
  return problems.length === 0
    ? Result.succeed({ level: forAll ?? "Info", namespaces })
    : Result.fail(new LogLevelsError({ text: whole, problems }))
}

/** As `parse` reads it. */
export const format = (self: LogLevels): string =>
  [
    LogLevelName.format(self.level),
    ...[...self.namespaces].map(([namespace, level]) => `${namespace}=${LogLevelName.format(level)}`)
  ].join(",")

/** The level of a namespace; `""` is that of lines without one. */
export const of = (self: LogLevels, namespace: string): LogLevel.LogLevel => {
  for (
    let prefix = namespace;
    prefix !== "";
    prefix = prefix.slice(0, Math.max(0, prefix.lastIndexOf(".")))
  ) {
    const level = self.namespaces.get(prefix)
    if (level !== undefined) return level
  }
  return self.level
}

/** The lowest level that something may be logged at. */
export const lowest = (self: LogLevels): LogLevel.LogLevel =>
  [self.level, ...self.namespaces.values()].reduce((a, b) => (LogLevel.isLessThan(b, a) ? b : a))
