/** Where, and in which fiber and span, a failure became a value; and what has become of it since. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Equal from "effect/Equal"
import * as Fiber from "effect/Fiber"
import * as Hash from "effect/Hash"
import * as Tracer from "effect/Tracer"
import { samesOf } from "./FailureMember.ts"

/** What a failure's copies and parts have in common: whether somebody has looked at it. */
export interface Fate {
  seen: boolean
  /** Called when it is seen for the first time: nobody need wait for it any more. */
  onSeen: (() => void) | undefined
}

/** What a reason's copies have in common: a part of a failure may be logged without the rest. */
interface Mark {
  reported: boolean
}

export interface CapturedSpan {
  readonly name: string | undefined
  readonly traceId: string
  readonly spanId: string
}

/** The caller is wanted, and what called it; an async trace has a frame more for each `await`. */
const framesMax = 4
/** Captures in other fibers that are remembered. */
const hopsMax = 8

const spanOf = (fiber: Fiber.Fiber<unknown, unknown> | undefined): CapturedSpan | undefined => {
  const span = fiber && Context.getOrUndefined(fiber.context, Tracer.ParentSpan)
  if (span === undefined) return undefined
  return { name: span._tag === "Span" ? span.name : undefined, traceId: span.traceId, spanId: span.spanId }
}

export const currentSpan = (): CapturedSpan | undefined => spanOf(Fiber.getCurrent())

/** A place in the code, as the engine keeps it: text is made of it only when it is read. */
export class Site {
  declare readonly stack: string | undefined

  /** `caller`: the function whose caller is the place. */
  constructor(caller: Function) {
    const limit = Error.stackTraceLimit
    if (limit === 0) return
    try {
      Error.stackTraceLimit = framesMax
      try {
        Error.captureStackTrace(this, caller)
      } finally {
        Error.stackTraceLimit = limit
      }
    } catch {
      // An engine without it, or a frozen `Error`: the place stays unknown.
    }
  }
}

const valueOf = (reason: Cause.Reason<unknown>): unknown =>
  reason._tag === "Fail" ? reason.error : reason._tag === "Die" ? reason.defect : undefined

const isReference = (value: unknown): boolean =>
  (typeof value === "object" && value !== null) || typeof value === "function"

const frameOf = (reason: Cause.Reason<unknown>): unknown => reason.annotations.get(Cause.StackTrace.key)

/**
 * A note on a reason. Effect hands the annotations of a reason on to every later reason that is mapped to the same error
 * object: a note is only believed where the reason can be the one it was made for.
 */
class Note {
  private frame: unknown
  private value: unknown

  constructor(reason: Cause.Reason<unknown>) {
    const value = valueOf(reason)
    this.frame = frameOf(reason)
    this.value = isReference(value) ? value : undefined
  }

  /** A reason keeps the frame that it has; one without gets that of the next function it passes. */
  isOf(reason: Cause.Reason<unknown>): boolean {
    const value = valueOf(reason)
    const frame = frameOf(reason)
    return !isReference(value) || frame === this.frame || (this.frame === undefined && value === this.value)
  }

  /** The same note on another reason. */
  movedTo(reason: Cause.Reason<unknown>): this {
    const { frame, value } = new Note(reason)
    return Object.assign(Object.create(Object.getPrototypeOf(this) as object) as this, this, { frame, value })
  }

  // What was noted does not make one cause differ from another.
  [Equal.symbol](that: unknown): boolean {
    return that instanceof Note
  }
  [Hash.symbol](): number {
    return 0
  }
}

export class Capture extends Note {
  readonly site: Site
  readonly fiberId: number | undefined
  readonly span: CapturedSpan | undefined
  /** The capture in another fiber that was before this one. */
  readonly previous: Capture | undefined
  readonly hops: number
  readonly fate: Fate
  readonly mark: Mark

  /** `fate`: that of the reasons beside it. */
  constructor(reason: Cause.Reason<unknown>, site: Site, fate: Fate, previous?: Capture) {
    super(reason)
    const fiber = Fiber.getCurrent()
    this.site = site
    this.fiberId = fiber?.id
    this.span = spanOf(fiber)
    this.previous = previous
    this.hops = previous === undefined ? 0 : previous.hops + 1
    this.fate = previous?.fate ?? fate
    this.mark = previous?.mark ?? { reported: isNoted(reason) }
  }
}

export class Captured extends Context.Service<Captured, Capture>()("spindle/result/Failure/Captured") {}

export const captureOf = (reason: Cause.Reason<unknown>): Capture | undefined => {
  const capture = reason.annotations.get(Captured.key)
  return capture instanceof Capture && capture.isOf(reason) ? capture : undefined
}

/**
 * The cause with a note of this place (or of the caller of this function) on every reason that has none, or one of
 * another fiber. Interruptions get none: Effect tells them apart by identity.
 */
export const captured = <E>(cause: Cause.Cause<E>, from: Site | Function): Cause.Cause<E> => {
  const here = Fiber.getCurrent()?.id
  let site: Site | undefined
  const fate: Fate = { seen: false, onSeen: undefined }
  const noted = (reason: Cause.Reason<E>): Cause.Reason<E> => {
    if (reason._tag === "Interrupt") return reason
    const before = captureOf(reason)
    if (before !== undefined && (here === undefined || before.fiberId === here || before.hops >= hopsMax)) {
      return reason
    }
    site ??= from instanceof Site ? from : new Site(from)
    const capture = new Capture(reason, site, fate, before)
    return reason.annotate(Context.make(Captured, capture), { overwrite: true })
  }
  const reasons = cause.reasons.map(noted)
  return reasons.every((reason, index) => reason === cause.reasons[index])
    ? cause
    : Cause.fromReasons(reasons)
}

/** The cause that was made of another one by a function of its errors, with the notes of that one. */
export const withCaptures = <E>(cause: Cause.Cause<E>, before: Cause.Cause<unknown>): Cause.Cause<E> =>
  Cause.fromReasons(
    cause.reasons.map((reason, index) => {
      const old = before.reasons[index]
      const capture = old === undefined || old === reason ? undefined : captureOf(old)
      return capture === undefined
        ? reason
        : reason.annotate(Context.make(Captured, capture.movedTo(reason)), { overwrite: true })
    })
  )

/** Those of its reasons, and of the failures that were counted as the same as one of them. */
const eachFate = (cause: Cause.Cause<unknown>, f: (fate: Fate) => void): void => {
  for (const reason of cause.reasons) {
    const fate = captureOf(reason)?.fate
    if (fate !== undefined) f(fate)
  }
  for (const same of samesOf(cause)) eachFate(same, f)
}

const see = (fate: Fate): void => {
  if (fate.seen) return
  fate.seen = true
  fate.onSeen?.()
  fate.onSeen = undefined
}

export const markSeen = (cause: Cause.Cause<unknown>): void => eachFate(cause, see)

export const isSeen = (cause: Cause.Cause<unknown>): boolean => {
  let seen = true
  eachFate(cause, (fate) => (seen &&= fate.seen))
  return seen
}

/** On the reasons of a cause that was reported: they may still travel on, to whoever joins the fiber. */
class Reported extends Context.Service<Reported, Note>()("spindle/result/Failure/Reported") {}

const isNoted = (reason: Cause.Reason<unknown>): boolean => {
  const note = reason.annotations.get(Reported.key)
  return note instanceof Note && note.isOf(reason)
}

/**
 * Notes that it was reported: on all copies of what was captured, and on the cause that is given back, which is to travel
 * on instead of this one.
 */
export const markReported = <E>(cause: Cause.Cause<E>): Cause.Cause<E> => {
  markSeen(cause)
  for (const same of samesOf(cause)) markReported(same)
  return Cause.fromReasons(
    cause.reasons.map((reason) => {
      if (reason._tag === "Interrupt") return reason
      const capture = captureOf(reason)
      if (capture !== undefined) capture.mark.reported = true
      return reason.annotate(Context.make(Reported, new Note(reason)), { overwrite: true })
    })
  )
}

/** Whether it is to be reported: it is no interruption, and was not reported before. */
export const isNews = (reason: Cause.Reason<unknown>): boolean =>
  reason._tag !== "Interrupt" && !isNoted(reason) && captureOf(reason)?.mark.reported !== true

/**
 * What of a cause is to be reported, with the interruptions that accompany it, which are a part of its story; nothing, if
 * there is no news in it.
 */
export const newsOf = <E>(cause: Cause.Cause<E>): Cause.Cause<E> | undefined => {
  if (!cause.reasons.some(isNews)) return undefined
  const told = cause.reasons.filter((reason) => reason._tag === "Interrupt" || isNews(reason))
  return told.length === cause.reasons.length ? cause : Cause.fromReasons(told)
}
