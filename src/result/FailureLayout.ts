/** A failure's story as lines of styled text, of which the terminal's and the page's are made. */
import { type Frame, frameText, isLibrary } from "./FailureFrame.ts"
import type { Json, Limits } from "./FailureReading.ts"
import type { CaptureStory, ErrorStory, ReasonStory, Story } from "./FailureStory.ts"
import { cut, visibleLines } from "./FailureText.ts"
import { visible } from "./VisibleText.ts"

/**
 * - `"brief"`: a line for each error, with the nearest frame of the application.
 * - `"default"`: with stack, spans, and the places of capture.
 * - `"verbose"`: with fields, classes, and trace ids too.
 */
export type Detail = "brief" | "default" | "verbose"

export interface LayoutOptions extends Limits {
  readonly detail?: Detail | undefined
  /** Whether frames of libraries (Node, packages, Effect) are shown; else they are counted. False. */
  readonly libraries?: boolean | undefined
}

export type Style = "name" | "plain" | "dim"
export interface Segment {
  readonly style: Style
  readonly text: string
}
export type Line = ReadonlyArray<Segment>

const shortLengthMax = 200

const plain = (text: string): Segment => ({ style: "plain", text })
const dim = (text: string): Segment => ({ style: "dim", text })
const name = (text: string): Segment => ({ style: "name", text })

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`

const jsonText = (json: Json): string => visible(typeof json === "string" ? json : JSON.stringify(json))

/** What it says; a tagged error without a message has its fields to say. */
const saying = ({ fields, message, tag }: ErrorStory): string =>
  message === "" && tag !== undefined && fields !== undefined
    ? cut(JSON.stringify(fields), shortLengthMax)
    : message

const headline = (error: ErrorStory): string => {
  const said = visible(saying(error))
  if (error.name === undefined) return said
  return said === "" ? visible(error.name) : `${visible(error.name)}: ${said}`
}

const interruption = ({ interruptor }: ReasonStory): string =>
  interruptor === undefined ? "Interrupted" : `Interrupted by fiber #${interruptor}`

/** One line, whatever was in it: `NotFound: no such user (and 2 more)`. */
export const oneLine = (story: Story): string => {
  const reasons = story.members.flatMap(({ reasons }) => reasons)
  const errors = reasons.flatMap(({ error }) => (error === undefined ? [] : [error]))
  const [error] = errors
  const [reason] = reasons
  if (error === undefined) return reason === undefined ? "No failure" : interruption(reason)
  const more = story.members.reduce(
    (sum, { count, reasons }) => sum + count * reasons.filter((r) => r.error).length,
    -1
  )
  return more + (story.omitted ?? 0) === 0
    ? headline(error)
    : `${headline(error)} (and ${more + (story.omitted ?? 0)} more)`
}

class Layout {
  readonly lines: Array<Line> = []
  readonly #detail: Detail
  readonly #libraries: boolean

  constructor({ detail = "default", libraries = false }: LayoutOptions) {
    this.#detail = detail
    this.#libraries = libraries
  }

  #put(indent: string, ...segments: ReadonlyArray<Segment>): void {
    this.lines.push(indent === "" ? segments : [plain(indent), ...segments])
  }

  story({ members, omitted = 0 }: Story): void {
    const count = members.reduce((sum, member) => sum + member.count, 0)
    const isMany = count > 1
    if (members.length === 0) this.#put("", plain("No failure"))
    if (isMany) {
      const different = members.length < count ? `, ${members.length} different` : ""
      this.#put("", plain(`${count} failures${different}:`))
    }
    members.forEach(({ count, reasons }, index) => {
      const times = count > 1 ? `(${count} times) ` : ""
      reasons.forEach((reason, at) => {
        const lead = at > 0 ? "Also " : isMany ? `${index + 1}. ${times}` : ""
        this.#reason(reason, lead, isMany ? "  " : "")
      })
    })
    if (omitted > 0) this.#put("", dim(`... ${plural(omitted, "more reason")}`))
  }

  #reason(reason: ReasonStory, lead: string, indent: string): void {
    const { captured = [], error, spans = [] } = reason
    const first = lead === "" || lead === "Also " ? indent : ""
    if (error === undefined) {
      this.#put(first, plain(lead), name(interruption(reason)))
    } else {
      this.#error(error, lead, indent, first, reason._tag === "Die" ? " (defect)" : "", () => {
        if (this.#detail !== "brief") this.#spans(spans, captured, indent)
      })
    }
    if (error === undefined && this.#detail !== "brief") this.#spans(spans, captured, indent)
  }

  #error(
    error: ErrorStory,
    lead: string,
    indent: string,
    first: string,
    note: string,
    between: () => void = () => {}
  ): void {
    const again = error.again === true ? " (told above)" : ""
    const [head = "", ...more] =
      this.#detail === "brief" ? [visible(saying(error))] : visibleLines(saying(error))
    const title = error.name === undefined ? "" : visible(error.name)
    const place = this.#detail === "brief" ? this.#nearest(error.frames) : ""
    this.#put(
      first,
      ...(lead === "" ? [] : [plain(lead)]),
      ...(title === "" ? [] : [name(title)]),
      plain(`${title === "" || head === "" ? "" : ": "}${head}${note}${again}`),
      ...(place === "" ? [] : [dim(`, at ${place}`)])
    )
    // A line of a message is never taken for a line of the traceback.
    for (const line of more) this.#put(indent, plain(`  | ${line}`))
    if (this.#detail !== "brief") this.#frames(error.frames ?? [], indent)
    between()
    if (this.#detail === "verbose") this.#fields(error, indent)
    this.#below(error, indent)
  }

  #below({ below = [], omitted = 0 }: ErrorStory, indent: string): void {
    const held = below.filter(({ isCause }) => isCause !== true)
    for (const error of below) {
      if (error.isCause === true) this.#error(error, "Caused by ", indent, indent, "")
    }
    held.forEach((error, index) => {
      this.#error(error, `${index + 1} of ${held.length}: `, `${indent}  `, `${indent}  `, "")
    })
    if (omitted > 0) this.#put(indent, dim(`  ... ${plural(omitted, "more error")}`))
  }

  #nearest(frames: ReadonlyArray<Frame> = []): string {
    const frame = frames.find((frame) => !isLibrary(frame))
    return frame === undefined ? "" : visible(frameText(frame))
  }

  #frames(frames: ReadonlyArray<Frame>, indent: string): void {
    let elided = 0
    const tellElided = (): void => {
      if (elided > 0) this.#put(indent, dim(`    ... ${plural(elided, "frame")} of libraries`))
      elided = 0
    }
    for (const frame of frames) {
      if (isLibrary(frame) && !this.#libraries) {
        elided++
        continue
      }
      tellElided()
      this.#put(indent, dim("    at "), (isLibrary(frame) ? dim : plain)(visible(frameText(frame))))
    }
    tellElided()
  }

  #spans(spans: ReadonlyArray<Frame>, captured: ReadonlyArray<CaptureStory>, indent: string): void {
    for (const span of spans) {
      if (this.#libraries || !isLibrary(span))
        this.#put(indent, dim("  in "), plain(visible(frameText(span))))
    }
    for (const capture of captured) {
      const text = this.#captureText(capture)
      if (text !== "") this.#put(indent, dim("  captured "), plain(text))
    }
  }

  #captureText({ fiber, place = [], span }: CaptureStory): string {
    const near = place.find((frame) => this.#libraries || !isLibrary(frame))
    const ids = span && this.#detail === "verbose" ? ` (trace ${span.traceId}, span ${span.spanId})` : ""
    return [
      near === undefined ? [] : [`at ${visible(frameText(near))}`],
      fiber === undefined ? [] : [`in fiber #${fiber}`],
      span === undefined || (span.name === undefined && ids === "")
        ? []
        : [`in span ${visible(`${span.name ?? ""}${ids}`)}`]
    ]
      .flat()
      .join(", ")
  }

  #fields({ fields, names = [] }: ErrorStory, indent: string): void {
    if (names.length > 1) this.#put(indent, dim("  class "), plain(visible(names.join(" < "))))
    for (const [key, value] of Object.entries(fields ?? {})) {
      this.#put(indent, dim("  with "), plain(`${visible(key)} = ${jsonText(value)}`))
    }
  }
}

/** The lines, no longer together than the limit. */
export const layout = (story: Story, options: LayoutOptions = {}): ReadonlyArray<Line> => {
  const { lengthMax = 65_536 } = options
  const all = new Layout(options)
  all.story(story)
  let left = Number.isNaN(lengthMax) ? 65_536 : lengthMax
  const lines: Array<Line> = []
  for (const line of all.lines) {
    const length = line.reduce((sum, { text }) => sum + text.length + 1, 0)
    if (length > left) {
      const whole = line.map(({ text }) => text).join("")
      return [...lines, [plain(cut(whole, Math.max(0, left)))], [dim("...")]]
    }
    left -= length
    lines.push(line)
  }
  return lines
}
