/** Where, and in which fiber and span, a failure became a value; and what has become of it since. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Equal from "effect/Equal"
import * as Fiber from "effect/Fiber"
import * as Hash from "effect/Hash"
import * as Tracer from "effect/Tracer"

/** What a failure's copies and parts have in common: whether it was dealt with. */
export interface Fate {
  /** Somebody has looked at it. */
  seen: boolean
  /** It was logged. */
  reported: boolean
  /** Called when it is seen for the first time: nobody need wait for it any more. */
  onSeen: (() => void) | undefined
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

export class Capture {
  readonly site: Site
  readonly fiberId: number | undefined
  readonly span: CapturedSpan | undefined
  /** The capture in another fiber that was before this one. */
  readonly previous: Capture | undefined
  readonly hops: number
  readonly fate: Fate

  constructor(site: Site, previous?: Capture) {
    const fiber = Fiber.getCurrent()
    this.site = site
    this.fiberId = fiber?.id
    this.span = spanOf(fiber)
    this.previous = previous
    this.hops = previous === undefined ? 0 : previous.hops + 1
    this.fate = previous?.fate ?? { seen: false, reported: false, onSeen: undefined }
  }

  // Where it was caught does not make one cause differ from another.
  [Equal.symbol](that: unknown): boolean {
    return that instanceof Capture
  }
  [Hash.symbol](): number {
    return 0
  }
}

export class Captured extends Context.Service<Captured, Capture>()("spindle/result/Failure/Captured") {}

export const captureOf = (reason: Cause.Reason<unknown>): Capture | undefined => {
  const capture = reason.annotations.get(Captured.key)
  return capture instanceof Capture ? capture : undefined
}

/**
 * The cause with a note of this place (or of the caller of this function) on every reason that has none, or one of
 * another fiber. Interruptions get none: Effect tells them apart by identity.
 */
export const captured = <E>(cause: Cause.Cause<E>, from: Site | Function): Cause.Cause<E> => {
  const here = Fiber.getCurrent()?.id
  let site: Site | undefined
  let first: Capture | undefined
  const siteOf = (): Site => (site ??= from instanceof Site ? from : new Site(from))
  const noted = (reason: Cause.Reason<E>): Cause.Reason<E> => {
    if (reason._tag === "Interrupt") return reason
    const before = captureOf(reason)
    if (before !== undefined && (here === undefined || before.fiberId === here || before.hops >= hopsMax)) {
      return reason
    }
    const capture = before === undefined ? (first ??= new Capture(siteOf())) : new Capture(siteOf(), before)
    return reason.annotate(Context.make(Captured, capture), { overwrite: true })
  }
  const reasons = cause.reasons.map(noted)
  return reasons.every((reason, index) => reason === cause.reasons[index])
    ? cause
    : Cause.fromReasons(reasons)
}

const eachFate = (cause: Cause.Cause<unknown>, f: (fate: Fate) => void): void => {
  for (const reason of cause.reasons) {
    const fate = captureOf(reason)?.fate
    if (fate !== undefined) f(fate)
  }
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
export class Reported extends Context.Service<Reported, true>()("spindle/result/Failure/Reported") {}

/** Notes that it was reported: on all copies of what was captured, and on the cause that is given back. */
export const markReported = <E>(cause: Cause.Cause<E>): Cause.Cause<E> => {
  eachFate(cause, (fate) => {
    fate.reported = true
    see(fate)
  })
  return Cause.annotate(cause, Context.make(Reported, true))
}

/** Whether it is to be reported: it is no interruption, and was not reported before. */
export const isNews = (reason: Cause.Reason<unknown>): boolean =>
  reason._tag !== "Interrupt" &&
  !reason.annotations.has(Reported.key) &&
  captureOf(reason)?.fate.reported !== true
