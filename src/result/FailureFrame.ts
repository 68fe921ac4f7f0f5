/** Frames of a stack trace, parsed only when somebody wants to see them. */
import type { StackFrame } from "effect/References"
import { cut } from "./FailureText.ts"

/** One line of a trace. */
export interface Frame {
  /** The function, or the span, as the engine writes it: `async load`, `new Parser`; absent at the top of a file. */
  readonly name?: string | undefined
  /** `file:///app/main.ts:10:5`, `node:net:1`, `native`; absent where only the name is known. */
  readonly place?: string | undefined
}

/** What is parsed of a trace, whatever its length. */
const traceLengthMax = 65_536
const frameLengthMax = 1024

/** V8: `    at name (place)`, `    at place`, `    at async place`. */
const v8 = /^\s*at (?:(.*?) \((.*)\)|(async )?(.*))$/
/** SpiderMonkey and JavaScriptCore: `name@place`. */
const gecko = /^([^@\s]*)@(.+:\d+(?::\d+)?)$/

const frameOf = (line: string): Frame | undefined => {
  const text = line.length > frameLengthMax ? cut(line, frameLengthMax) : line
  const [, name, place, async, bare] = v8.exec(text) ?? []
  if (name !== undefined && place !== undefined) return name === "" ? { place } : { name, place }
  if (bare !== undefined) return async === undefined ? { place: bare } : { name: "async", place: bare }
  const [, geckoName, geckoPlace] = gecko.exec(text) ?? []
  if (geckoPlace === undefined) return undefined
  return geckoName === undefined || geckoName === ""
    ? { place: geckoPlace }
    : { name: geckoName, place: geckoPlace }
}

/** The frames of `error.stack`. Its head, which repeats the message, is left out even if the message looks like frames. */
export const framesOf = (stack: string, message: string, framesMax: number): ReadonlyArray<Frame> => {
  const from = message === "" ? -1 : stack.indexOf(message)
  const start = from < 0 ? 0 : from + message.length
  const frames: Array<Frame> = []
  for (const line of stack.slice(start, start + traceLengthMax).split("\n")) {
    if (frames.length >= framesMax) break
    const frame = frameOf(line)
    if (frame !== undefined) frames.push(frame)
  }
  return frames
}

/** The frames that Effect keeps of `Effect.fn` and `Effect.withSpan`, the innermost first. */
export const spanFramesOf = (innermost: unknown, framesMax: number): ReadonlyArray<Frame> => {
  const frames: Array<Frame> = []
  // Annotations are typed, but everybody can write them.
  let span = innermost as StackFrame | undefined
  try {
    for (; typeof span === "object" && span !== null && frames.length < framesMax; span = span.parent) {
      const name = cut(String(span.name), frameLengthMax)
      const stack = span.stack()
      const place = typeof stack === "string" ? framesOf(stack, "", 1)[0]?.place : undefined
      frames.push(place === undefined ? { name } : { name, place })
    }
  } catch {
    // What was read until here is what can be read.
  }
  return frames
}

const library =
  /^(?:node:|native$|<anonymous>$|ext:)|[\\/]node_modules[\\/]|[\\/]effect[\\/](?:src|dist)[\\/]/

/** Whether it is a frame of the platform, of an installed package, or of Effect. */
export const isLibrary = (frame: Frame): boolean => frame.place !== undefined && library.test(frame.place)

/** `load (/app/main.ts:10:5)`. */
export const frameText = ({ name, place }: Frame): string => {
  const where = place?.replace(/^file:\/\//, "")
  if (where === undefined) return name ?? ""
  return name === undefined ? where : `${name} (${where})`
}
