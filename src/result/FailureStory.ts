/**
 * What a failure tells, as plain data within limits: what is printed, put on a page and sent is made of this. It is
 * read from the cause when somebody asks, and not kept.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import { type Capture, captureOf } from "./FailureCapture.ts"
import { type Frame, framesOf, spanFramesOf } from "./FailureFrame.ts"
import { membersOf } from "./FailureMember.ts"
import {
  type Json,
  type Limits,
  Reading,
  attempt,
  classNames,
  isCause,
  isError,
  isObject,
  property
} from "./FailureReading.ts"
import { isRemoteError } from "./FailureRemote.ts"
import { cut } from "./FailureText.ts"

/** An error, or any other value that was thrown. */
export interface ErrorStory {
  /** What it calls itself: its `_tag`, `name` or class; absent for a string, a number, a plain object. */
  readonly name?: string | undefined
  readonly tag?: string | undefined
  /** Its class, and the classes that this extends. */
  readonly names?: ReadonlyArray<string> | undefined
  readonly message: string
  readonly frames?: ReadonlyArray<Frame> | undefined
  /** Its own fields, without what is said elsewhere in the story. */
  readonly fields?: { readonly [key: string]: Json } | undefined
  /** The value, where it is no `Error`. */
  readonly value?: Json | undefined
  /** Its `cause`, which says so, and what it holds, as an `AggregateError` does. */
  readonly below?: ReadonlyArray<ErrorStory> | undefined
  /** It is the `cause` of the error above. */
  readonly isCause?: true | undefined
  /** Errors below this one that the limits left out. */
  readonly omitted?: number | undefined
  /** It was told before: this is a cycle, or the same error again. */
  readonly again?: true | undefined
}

export interface CaptureStory {
  readonly place?: ReadonlyArray<Frame> | undefined
  readonly fiber?: number | undefined
  readonly span?:
    | { readonly name?: string | undefined; readonly traceId: string; readonly spanId: string }
    | undefined
}

export interface ReasonStory {
  readonly _tag: "Fail" | "Die" | "Interrupt"
  /** What went wrong; absent for an interruption. */
  readonly error?: ErrorStory | undefined
  /** The fiber that interrupted. */
  readonly interruptor?: number | undefined
  /** The spans and `Effect.fn`s it passed, the innermost first; of an interruption, those of who interrupted. */
  readonly spans?: ReadonlyArray<Frame> | undefined
  /** Where it became a value, the first time first. */
  readonly captured?: ReadonlyArray<CaptureStory> | undefined
}

/** One of the failures that went wrong beside each other. */
export interface MemberStory {
  /** How often the same was met. */
  readonly count: number
  readonly reasons: ReadonlyArray<ReasonStory>
}

export interface Story {
  readonly members: ReadonlyArray<MemberStory>
  /** Reasons that the limits left out. */
  readonly omitted?: number | undefined
}

/** What was told of a reason that came from elsewhere: the frames there, not those of its decoding. */
export class Told extends Context.Service<
  Told,
  {
    readonly error: unknown
    readonly story: ReasonStory
    /** Reasons after this one that were left out there. */
    readonly omitted: number
  }
>()("spindle/result/Failure/Told") {}

const nameLengthMax = 256
const stackLengthMax = 262_144

/** A string property, wherever on the prototypes it is. */
const stringOf = (value: object, key: string): string | undefined => {
  const text = property(value, key)
  return typeof text === "string" ? text : undefined
}

/** Told by the story itself. */
const special = new Set(["_tag", "cause", "constructor", "errors", "message", "name", "names", "stack"])

const ownKeys = (error: object): ReadonlyArray<string> =>
  attempt(() => Object.keys(error).filter((key) => !special.has(key)), [])

/** Errors of one `AggregateError` that are looked at. */
const belowMax = 256

/** The errors that an `AggregateError` or a `SuppressedError` holds, and how many more there are. */
const below = (error: object): { readonly errors: ReadonlyArray<unknown>; readonly more: number } => {
  const length = attempt(() => {
    const errors = property(error, "errors")
    return Array.isArray(errors) ? errors.length : 0
  }, 0)
  const held = property(error, "errors") as object
  const count = Math.min(length, belowMax)
  if (count > 0) {
    return {
      errors: Array.from({ length: count }, (_, index) => property(held, index)),
      more: length - count
    }
  }
  const suppressed = attempt(() => "suppressed" in error && "error" in error, false)
  return { errors: suppressed ? [property(error, "error"), property(error, "suppressed")] : [], more: 0 }
}

/** Absent keys instead of undefined ones: a story is JSON. */
const defined = <A extends object>(fields: A): A =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as A

class Teller extends Reading {
  error(value: unknown, depth: number): ErrorStory {
    if (!isObject(value)) return this.#value(value)
    return attempt(() => this.#object(value, depth), { message: "(cannot be read)" })
  }

  #value(value: unknown): ErrorStory {
    if (typeof value === "string") {
      const text = this.text(value, this.messageLengthMax)
      return { message: text, value: text }
    }
    const json = this.json(value)
    return { message: typeof json === "string" ? json : String(value), value: json }
  }

  #object(value: object, depth: number): ErrorStory {
    const thrown = isError(value)
    const tag = stringOf(value, "_tag")
    const message = stringOf(value, "message")
    const names = isRemoteError(value) ? value.names : classNames(value)
    const ownName = thrown ? stringOf(value, "name") : undefined
    const plain = !thrown && (names.length === 0 || typeof value === "function" || Array.isArray(value))
    const name =
      [tag, ownName === "Error" ? undefined : ownName, names[0]].find(
        (name) => name !== undefined && name !== ""
      ) ?? (thrown ? "Error" : undefined)
    const shownName = name === undefined ? undefined : this.text(name, nameLengthMax)
    const named = plain && tag === undefined ? undefined : shownName
    if (this.seen.has(value)) {
      return defined({
        name: named,
        message: this.text(message ?? "", this.messageLengthMax),
        again: true as const
      })
    }
    const json = thrown ? undefined : this.json(value)
    this.seen.add(value)
    const text =
      message ?? (thrown ? shownMessage(this.json(property(value, "message"))) : shownMessage(json ?? null))
    return defined({
      name: named,
      tag: tag === undefined ? undefined : this.text(tag, nameLengthMax),
      names: names.length === 0 ? undefined : names,
      message: this.text(text, this.messageLengthMax),
      frames: this.#frames(value, message ?? ""),
      fields: thrown ? this.#fields(value) : undefined,
      value: json,
      ...this.#below(value, depth)
    })
  }

  #frames(value: object, message: string): ReadonlyArray<Frame> | undefined {
    const stack = stringOf(value, "stack")
    if (stack === undefined) return undefined
    // A stack repeats the message, which may be huge.
    const parsed = framesOf(stack.slice(0, message.length + stackLengthMax), message, this.framesMax)
    const frames = parsed.filter(
      ({ name = "", place = "" }) => !this.full && this.text(name + place, Infinity) !== ""
    )
    return frames.length === 0 ? undefined : frames
  }

  #fields(error: object): { readonly [key: string]: Json } | undefined {
    const keys = ownKeys(error)
    return keys.length === 0 ? undefined : this.fields(error, keys, 0)
  }

  #below(value: object, depth: number): Partial<ErrorStory> {
    const cause = property(value, "cause")
    const direct: ReadonlyArray<unknown> =
      cause === undefined ? [] : isCause(cause) ? cause.reasons.flatMap(errorsOfReason) : [cause]
    const held = below(value)
    const errors = [...direct, ...held.errors]
    const told: Array<ErrorStory> = []
    let omitted = held.more
    errors.forEach((error, index) => {
      if (depth + 1 >= this.depthMax || !this.takeError()) {
        omitted++
        return
      }
      const story = this.error(error, depth + 1)
      told.push(direct.length === 1 && index === 0 ? { ...story, isCause: true } : story)
    })
    return { below: told.length === 0 ? undefined : told, omitted: omitted === 0 ? undefined : omitted }
  }

  /** What was told elsewhere, within these limits; its fields were limited there. */
  again(story: ErrorStory, depth: number): ErrorStory {
    const { below = [], frames, message, omitted = 0 } = story
    let left = omitted
    const told = below.flatMap((error): ReadonlyArray<ErrorStory> => {
      if (depth + 1 < this.depthMax && this.takeError()) return [this.again(error, depth + 1)]
      left++
      return []
    })
    return defined({
      ...story,
      message: cut(message, this.messageLengthMax),
      frames: frames?.slice(0, this.framesMax),
      below: told.length === 0 ? undefined : told,
      omitted: left === 0 ? undefined : left
    })
  }

  reason(reason: Cause.Reason<unknown>): ReasonStory {
    const told = toldOf(reason)
    const value = reason._tag === "Fail" ? reason.error : reason._tag === "Die" ? reason.defect : undefined
    const isTold = told !== undefined && Object.is(told.error, value)
    const key = reason._tag === "Interrupt" ? Cause.InterruptorStackTrace.key : Cause.StackTrace.key
    const spans = spanFramesOf(reason.annotations.get(key), this.framesMax)
    const captured = capturesOf(captureOf(reason)).map((capture) => this.#capture(capture))
    const allSpans = [...(told?.story.spans ?? []), ...spans]
    const allCaptured = [...(told?.story.captured ?? []), ...captured]
    return defined({
      _tag: reason._tag,
      error:
        reason._tag === "Interrupt"
          ? undefined
          : isTold && told.story.error !== undefined
            ? this.again(told.story.error, 0)
            : this.error(value, 0),
      interruptor: reason._tag === "Interrupt" ? reason.fiberId : undefined,
      spans: allSpans.length === 0 ? undefined : allSpans.slice(0, this.framesMax),
      captured: allCaptured.length === 0 ? undefined : allCaptured.slice(0, this.framesMax)
    })
  }

  #capture({ fiberId, site, span }: Capture): CaptureStory {
    const stack = stringOf(site, "stack")
    const place = stack === undefined ? [] : framesOf(stack, "", this.framesMax)
    return defined({
      place: place.length === 0 ? undefined : place,
      fiber: fiberId,
      span: span && defined({ ...span, name: span.name && this.text(span.name, nameLengthMax) })
    })
  }
}

const shownMessage = (json: Json): string => (typeof json === "string" ? json : JSON.stringify(json))

const errorsOfReason = (reason: Cause.Reason<unknown>): ReadonlyArray<unknown> =>
  reason._tag === "Fail" ? [reason.error] : reason._tag === "Die" ? [reason.defect] : []

/** The first first. */
const capturesOf = (last: Capture | undefined): ReadonlyArray<Capture> => {
  const captures: Array<Capture> = []
  for (let capture = last; capture !== undefined; capture = capture.previous) captures.unshift(capture)
  return captures
}

const toldOf = (reason: Cause.Reason<unknown>): Told["Service"] | undefined =>
  reason.annotations.get(Told.key) as Told["Service"] | undefined

/** Never throws. */
export const tell = (cause: Cause.Cause<unknown>, limits?: Limits): Story => {
  const teller = new Teller(limits)
  let omitted = 0
  let room = teller.errorsMax
  const reasonsOf = (reasons: ReadonlyArray<Cause.Reason<unknown>>): ReadonlyArray<ReasonStory> =>
    reasons.flatMap((reason) => {
      omitted += toldOf(reason)?.omitted ?? 0
      if (room-- > 0) return [teller.reason(reason)]
      omitted++
      return []
    })
  const members = membersOf(cause)
    .map(({ count, reasons }) => ({ count, reasons: reasonsOf(reasons) }))
    .filter(({ reasons }) => reasons.length > 0)
  return omitted === 0 ? { members } : { members, omitted }
}
