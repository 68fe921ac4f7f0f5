/** A failure as JSON, out and in. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { frameText } from "./FailureFrame.ts"
import { Branch, membersOf, withBranch } from "./FailureMember.ts"
import { type Json, type Limits, depthLimit, fieldDepthMax, isObject } from "./FailureReading.ts"
import { RemoteError } from "./FailureRemote.ts"
import { type ErrorStory, type ReasonStory, type Story, Told, tell } from "./FailureStory.ts"
import { type Failure, causeOf, isFailure, make } from "./FailureValue.ts"

// What is decoded may come from anybody: every list and every depth has an end.
const membersMax = 1024
const listMax = 256

const list = <S extends Schema.Constraint>(schema: S, countMax = listMax) =>
  Schema.Array(schema).check(Schema.isMaxLength(countMax))

const record = <A>(value: Schema.Codec<A>) =>
  Schema.Record(Schema.String, value).check(Schema.isMaxProperties(listMax))

const scalar = Schema.Union([Schema.Null, Schema.Boolean, Schema.Finite, Schema.String])

/** The schema of so many levels, each made of the one below. */
const levels = <A>(
  depth: number,
  bottom: Schema.Codec<A>,
  above: (below: Schema.Codec<A>) => Schema.Codec<A>
) => {
  let level = bottom
  for (let index = 0; index < depth; index++) level = above(level)
  return level
}

const json = levels<Json>(fieldDepthMax + 1, scalar, (below) =>
  Schema.Union([scalar, list(below), record(below)])
)

const frame = Schema.Struct({
  name: Schema.optionalKey(Schema.String),
  place: Schema.optionalKey(Schema.String)
})

const errorFields = {
  name: Schema.optionalKey(Schema.String),
  tag: Schema.optionalKey(Schema.String),
  names: Schema.optionalKey(list(Schema.String)),
  message: Schema.String,
  frames: Schema.optionalKey(list(frame)),
  fields: Schema.optionalKey(record(json)),
  value: Schema.optionalKey(json),
  omitted: Schema.optionalKey(Schema.Finite),
  isCause: Schema.optionalKey(Schema.Literal(true)),
  again: Schema.optionalKey(Schema.Literal(true))
}

/**
 * An error with those below it, in one field: two would make a schema of 2 to the power of the depth. What lies deeper
 * than the limit is left out.
 */
const errorStory = levels<ErrorStory>(depthLimit, Schema.Struct(errorFields), (below) =>
  Schema.Struct({ ...errorFields, below: Schema.optionalKey(list(below)) })
)

const reasonFields = {
  spans: Schema.optionalKey(list(frame)),
  captured: Schema.optionalKey(
    list(
      Schema.Struct({
        place: Schema.optionalKey(list(frame)),
        fiber: Schema.optionalKey(Schema.Finite),
        span: Schema.optionalKey(
          Schema.Struct({
            name: Schema.optionalKey(Schema.String),
            traceId: Schema.String,
            spanId: Schema.String
          })
        )
      })
    )
  )
}

const dieReason = Schema.Struct({ _tag: Schema.Literal("Die"), error: errorStory, ...reasonFields })
const interruptReason = Schema.Struct({
  _tag: Schema.Literal("Interrupt"),
  interruptor: Schema.optionalKey(Schema.Finite),
  ...reasonFields
})
const failReason = Schema.Struct({ _tag: Schema.Literal("Fail"), error: errorStory, ...reasonFields })

const storyOf = <R extends Schema.Constraint>(reason: R) =>
  Schema.Struct({
    members: list(
      Schema.Struct({
        count: Schema.Int.check(Schema.isGreaterThan(0)),
        reasons: list(reason, membersMax)
      }),
      membersMax
    ),
    omitted: Schema.optionalKey(Schema.Finite)
  })

// --- decoding -------------------------------------------------------------------------------------------

const stackOf = ({ frames = [], message, name = "Error" }: ErrorStory): string =>
  [
    message === "" ? name : `${name}: ${message}`,
    ...frames.map((frame) => `    at ${frameText(frame)}`)
  ].join("\n")

/** The value that a story is of, or what stands for it. */
const valueOf = (story: ErrorStory): unknown => {
  if (story.value !== undefined && !(isObject(story.value) && story.tag !== undefined)) return story.value
  const { below = [] } = story
  const cause = below.find(({ isCause }) => isCause === true)
  const held = below.filter(({ isCause }) => isCause !== true)
  return new RemoteError({
    name: story.name,
    tag: story.tag,
    names: story.names,
    message: story.message,
    stack: stackOf(story),
    fields: story.fields ?? fieldsOf(story.value),
    cause: cause === undefined ? undefined : { value: valueOf(cause) },
    errors: held.length === 0 ? undefined : held.map(valueOf)
  })
}

const fieldsOf = (value: Json | undefined): { readonly [key: string]: Json } | undefined =>
  isObject(value) && !Array.isArray(value) ? (value as { readonly [key: string]: Json }) : undefined

const told = <E>(reason: Cause.Reason<E>, error: unknown, story: ReasonStory): Cause.Reason<E> =>
  reason.annotate(Context.make(Told, { error, story, omitted: 0 }))

/** What was left out is not forgotten. */
const withOmitted = <E>(reason: Cause.Reason<E>, omitted: number): Cause.Reason<E> => {
  const before = reason.annotations.get(Told.key) as Told["Service"]
  return reason.annotate(Context.make(Told, { ...before, omitted }), { overwrite: true })
}

const reasonOf = (story: ReasonStory): Cause.Reason<unknown> => {
  if (story._tag === "Interrupt" || story.error === undefined) {
    return told(Cause.makeInterruptReason(story.interruptor), story.interruptor, story)
  }
  const error = valueOf(story.error)
  return told(story._tag === "Fail" ? Cause.makeFailReason(error) : Cause.makeDieReason(error), error, story)
}

const failureOf = <S, E>(
  story: {
    readonly members: ReadonlyArray<{ readonly count: number; readonly reasons: ReadonlyArray<S> }>
    readonly omitted?: number | undefined
  },
  reasonOf: (story: S) => Cause.Reason<E>
): Failure<E> => {
  const { members, omitted = 0 } = story
  const isMerged = members.length > 1 || members.some(({ count }) => count > 1)
  const reasons = members.flatMap((member) => {
    const branch = new Branch(member.count)
    const own = member.reasons.map(reasonOf)
    return isMerged ? own.map((reason) => withBranch(reason, branch)) : own
  })
  const last = reasons.at(-1)
  if (omitted > 0 && last !== undefined) reasons[reasons.length - 1] = withOmitted(last, omitted)
  return make(Cause.fromReasons(reasons))
}

// --- schemas --------------------------------------------------------------------------------------------

/** What a failure is as JSON: the story that `render` prints, within the limits. */
export type FailureJson = Story

const anyStory: Schema.Codec<Story> = storyOf(
  Schema.Union([failReason, dieReason, interruptReason])
) as unknown as Schema.Codec<Story>

const declared = <E>(): Schema.declare<Failure<E>> =>
  Schema.declare((value): value is Failure<E> => isFailure(value), { expected: "Failure" })

/** The failure as JSON; `JSON.stringify` of a failure gives it, too. Never throws. */
export const toJson = (self: Failure<unknown>, limits?: Limits): FailureJson => tell(self.cause, limits)

const schemaOfStory = (limits?: Limits): Schema.Codec<Failure<unknown>, FailureJson> =>
  anyStory.pipe(
    Schema.decodeTo(
      declared<unknown>(),
      SchemaTransformation.transform<Failure<unknown>, Story>({
        decode: (story) => failureOf(story, reasonOf),
        encode: (failure) => tell(causeOf(failure), limits)
      })
    )
  )

/** A reason of a failure whose errors have a schema: the error comes beside its story. */
export type TypedReasonJson<E> =
  | (ReasonStory & { readonly _tag: "Fail"; readonly typed: E })
  | (ReasonStory & { readonly _tag: "Die" | "Interrupt" })

/** What a failure is as JSON, if its errors have a schema. */
export interface TypedFailureJson<E> {
  readonly members: ReadonlyArray<{
    readonly count: number
    readonly reasons: ReadonlyArray<TypedReasonJson<E>>
  }>
  readonly omitted?: number | undefined
}

const typedReasonOf = <E>(reason: TypedReasonJson<E>): Cause.Reason<E> => {
  if (reason._tag !== "Fail") return reasonOf(reason) as Cause.Reason<E>
  const { typed, ...story } = reason
  return told(Cause.makeFailReason(typed), typed, story)
}

const typedStoryOf = <E>(cause: Cause.Cause<E>, limits?: Limits): TypedFailureJson<E> => {
  const { members, omitted } = tell(cause, limits)
  // The reasons that are told are the first ones, in this order.
  const reasons = membersOf(cause).flatMap((member) => member.reasons)
  let index = 0
  const typed = members.map(({ count, reasons: stories }) => ({
    count,
    reasons: stories.map((story): TypedReasonJson<E> => {
      const reason = reasons[index++]
      return reason?._tag === "Fail"
        ? { ...story, _tag: "Fail", typed: reason.error }
        : (story as TypedReasonJson<E>)
    })
  }))
  return omitted === undefined ? { members: typed } : { members: typed, omitted }
}

const schemaOfErrors = <S extends Schema.Constraint>(error: S, limits?: Limits) => {
  const typedFail = Schema.Struct({ ...failReason.fields, typed: error })
  // The types of a schema that is made of another one are beyond the compiler: they are as in `schema`.
  const story = storyOf(Schema.Union([typedFail, dieReason, interruptReason])) as unknown as Schema.Codec<
    TypedFailureJson<S["Type"]>,
    TypedFailureJson<S["Encoded"]>,
    S["DecodingServices"],
    S["EncodingServices"]
  >
  return story.pipe(
    Schema.decodeTo(
      declared<S["Type"]>(),
      SchemaTransformation.transform<Failure<S["Type"]>, TypedFailureJson<S["Type"]>>({
        decode: (story) => failureOf(story, typedReasonOf),
        encode: (failure) => typedStoryOf(causeOf(failure), limits)
      })
    )
  )
}

/**
 * Failures as JSON, out and in, with their story and within the limits.
 *
 * - With a schema of the errors, these come back as what they were.
 * - Without, an error comes back as a `RemoteError`, which is matched by tag and by names of classes; a string, number,
 *   or plain object without a tag as itself.
 *
 * What is decoded is checked: lists and depths have an end, and no field becomes a method or a prototype. Decoding fails
 * with Effect's `SchemaError`; encoding fails so only where the errors do not fit their schema.
 */
export const schema: {
  (options?: { readonly limits?: Limits | undefined }): Schema.Codec<Failure<unknown>, FailureJson>
  <S extends Schema.Constraint>(
    error: S,
    options?: { readonly limits?: Limits | undefined }
  ): Schema.Codec<
    Failure<S["Type"]>,
    TypedFailureJson<S["Encoded"]>,
    S["DecodingServices"],
    S["EncodingServices"]
  >
} = ((
  first?: Schema.Constraint | { readonly limits?: Limits | undefined },
  options?: { readonly limits?: Limits | undefined }
) =>
  Schema.isSchema(first)
    ? schemaOfErrors(first, options?.limits)
    : schemaOfStory((first as typeof options)?.limits)) as never
