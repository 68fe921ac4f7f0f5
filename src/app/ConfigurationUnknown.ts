/** Keys that were given, and that no configuration asks for. */
import { configCase } from "effect/String"
import { nearest } from "../reactor/EndpointSuggestion.ts"
import type { Unknown } from "./ConfigurationIssue.ts"
import * as Key from "./ConfigurationKey.ts"
import type { Given, Source } from "./ConfigurationSource.ts"

/** More are not told one by one. */
export const unknownMax = 20

/** The key that was most likely meant: the same words otherwise written, or nearly the same. */
export const suggest = (key: string, asked: ReadonlyArray<string>): string | undefined =>
  asked.find((other) => configCase(other) === configCase(key)) ?? sibling(key, asked) ?? nearest(key, asked)

/** One with the same words before the last. */
const sibling = (key: string, asked: ReadonlyArray<string>): string | undefined => {
  const stem = key.slice(0, key.lastIndexOf(".") + 1)
  const siblings = asked.filter((other) => other.startsWith(stem)).map((other) => other.slice(stem.length))
  const name = nearest(key.slice(stem.length), siblings)
  return name === undefined ? undefined : stem + name
}

const isEntry = (path: Key.Path): boolean => typeof path.at(-1) === "number"

/** A table of which nothing is asked for is told as one. @param asked keys by `Key.textOf` */
export const unknownIn = (source: Source, asked: ReadonlySet<string>): ReadonlyArray<Unknown> => {
  const names = Array.from(asked).filter((key) => key !== "")
  const unknown: Array<Unknown> = []
  const isAbove = (key: string) => names.some((name) => name.startsWith(`${key}.`))
  const walk = ({ children, path }: Given): void => {
    const key = Key.textOf(path)
    if (children.length > 0 && (asked.has(key) || isAbove(key))) for (const child of children) walk(child)
    // An entry of a list is not asked for where a list from above stands in its place.
    else if (
      !asked.has(key) &&
      !isAbove(key) &&
      !(isEntry(path) && asked.has(Key.textOf(path.slice(0, -1))))
    ) {
      unknown.push({
        _tag: "Unknown",
        key,
        suggestion: suggest(key, names),
        origin: source.origin(path)
      })
    }
  }
  for (const given of source.given) walk(given)
  return unknown
}
