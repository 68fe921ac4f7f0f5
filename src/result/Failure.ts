/**
 * What went wrong, as a value. Twisted: `twisted.python.failure`.
 *
 * - the value, its capture and its use: `FailureValue.ts`
 * - matching: `FailureMatcher.ts`, `FailureMatch.ts`
 * - text, pages, JSON: `FailureRender.ts`, `FailureHtml.ts`, `FailureJson.ts`
 * - many as one: `FailureGroup.ts`
 * - the log: `FailureReport.ts`
 */
export {
  type ErrorOf,
  type Failure,
  TypeId,
  clean,
  defects,
  die,
  error,
  errors,
  fail,
  fromCause,
  fromExit,
  fromPromise,
  fromUnknown,
  handled,
  interrupt,
  isFailure,
  isHandled,
  isInterrupted,
  isUnreported,
  map,
  raise,
  result,
  squash,
  toEffect,
  toExit,
  try
} from "./FailureValue.ts"
export {
  type Class,
  type Matched,
  type MatchedError,
  type Matcher,
  type ReasonTags,
  type Rest,
  type Tag,
  type Tags,
  defect,
  interruption,
  named
} from "./FailureMatcher.ts"
export { type Whole, check, filter, find, split, trap, without } from "./FailureMatch.ts"
export type { Json, Limits } from "./FailureReading.ts"
export type { Detail } from "./FailureLayout.ts"
export type { CaptureStory, ErrorStory, MemberStory, ReasonStory, Story } from "./FailureStory.ts"
export type { Frame } from "./FailureFrame.ts"
export { type RenderOptions, message, render } from "./FailureRender.ts"
export { html } from "./FailureHtml.ts"
export { RemoteError } from "./FailureRemote.ts"
export {
  type FailureJson,
  type TypedFailureJson,
  type TypedReasonJson,
  schema,
  toJson
} from "./FailureJson.ts"
export { type ByTag, type Member, all, byTag, members, partition, partitionEffects } from "./FailureGroup.ts"
export {
  type ReportOptions,
  type UnhandledOptions,
  layerUnhandled,
  makeUnhandled,
  report,
  reportUnhandled,
  suppress,
  watch,
  watchInScope,
  withReporting
} from "./FailureReport.ts"
export { CurrentUnhandled, type Unhandled } from "./FailureWatch.ts"
export { isNews, markReported, newsOf } from "./FailureCapture.ts"
