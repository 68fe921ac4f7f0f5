/**
 * Which options are on, on which side: the "Q method" of RFC 1143, which cannot loop, whatever the peer says. Pure.
 *
 * For each option and side: `No`, `Yes`, and, while we wait for an answer, `WantNo` or `WantYes`; in these, `opposite` says that we have
 * changed our mind meanwhile (the queue of the RFC). We ask only when we have an answer to the question before, and answer only what
 * changes something.
 */
import type { Verb } from "./TelnetWire.ts"

/** `Local`: we do it (WILL, WONT from us); `Remote`: the peer does (DO, DONT from us). */
export type Side = "Local" | "Remote"

type OptionState =
  | { readonly _tag: "No" | "Yes" }
  | { readonly _tag: "WantNo" | "WantYes"; readonly opposite: boolean }

/** By side and option; what is absent is `No`. */
export interface State {
  readonly Local: ReadonlyMap<number, OptionState>
  readonly Remote: ReadonlyMap<number, OptionState>
}

/** Options that are let be turned on when the peer asks. Any may always be turned off (RFC 854). */
export interface Policy {
  readonly local: ReadonlySet<number>
  readonly remote: ReadonlySet<number>
}

export type SessionEvent =
  | { readonly _tag: "Received"; readonly verb: Verb; readonly option: number }
  /** Our wish. */
  | { readonly _tag: "Want"; readonly side: Side; readonly option: number; readonly on: boolean }

export type Action =
  | { readonly _tag: "Send"; readonly verb: Verb; readonly option: number }
  /** It is on, or off, from here on. */
  | { readonly _tag: "Changed"; readonly side: Side; readonly option: number; readonly on: boolean }
  /** What we wanted on is refused. */
  | { readonly _tag: "Refused"; readonly side: Side; readonly option: number }

export const initial: State = { Local: new Map(), Remote: new Map() }

/** Whether what is sent (`Local`) or what comes (`Remote`) is to be taken so. The peer goes on until it has agreed to stop. */
export const isOn = (state: State, side: Side, option: number): boolean => {
  const tag = state[side].get(option)?._tag
  return tag === "Yes" || (tag === "WantNo" && side === "Remote")
}

/** Whether nothing that we asked about the option is without an answer. */
export const isSettledFor = (state: State, side: Side, option: number): boolean => {
  const tag = state[side].get(option)?._tag
  return tag !== "WantNo" && tag !== "WantYes"
}

/** Whether nothing at all that we asked is without an answer. */
export const isSettled = (state: State): boolean =>
  [...state.Local.values(), ...state.Remote.values()].every(({ _tag }) => _tag === "Yes" || _tag === "No")

type Step = readonly [next: OptionState, actions: ReadonlyArray<Action>]

export const step = (
  state: State,
  event: SessionEvent,
  policy: Policy
): readonly [State, ReadonlyArray<Action>] => {
  const side =
    event._tag === "Want" ? event.side : event.verb === "will" || event.verb === "wont" ? "Remote" : "Local"
  const { option } = event
  const before = state[side].get(option) ?? no
  const told = tellers(side, option)
  const [after, actions] =
    event._tag === "Want"
      ? wanted(before, event.on, told)
      : event.verb === "will" || event.verb === "do"
        ? heardOn(before, (side === "Local" ? policy.local : policy.remote).has(option), told)
        : heardOff(before, told)
  if (after === before) return [state, actions]
  const options = new Map(state[side])
  if (after._tag === "No") options.delete(option)
  else options.set(option, after)
  return [side === "Local" ? { ...state, Local: options } : { ...state, Remote: options }, actions]
}

const no: OptionState = { _tag: "No" }
const yes: OptionState = { _tag: "Yes" }
const wantNo: OptionState = { _tag: "WantNo", opposite: false }
const wantYes: OptionState = { _tag: "WantYes", opposite: false }

interface Tellers {
  readonly on: Action
  readonly off: Action
  readonly isOn: Action
  readonly isOff: Action
  readonly refused: Action
}

const tellers = (side: Side, option: number): Tellers => ({
  on: { _tag: "Send", verb: side === "Local" ? "will" : "do", option },
  off: { _tag: "Send", verb: side === "Local" ? "wont" : "dont", option },
  isOn: { _tag: "Changed", side, option, on: true },
  isOff: { _tag: "Changed", side, option, on: false },
  refused: { _tag: "Refused", side, option }
})

/** The peer is for it: WILL for what it does, DO for what we do. */
const heardOn = (before: OptionState, isAllowed: boolean, told: Tellers): Step => {
  switch (before._tag) {
    case "No":
      return isAllowed ? [yes, [told.on, told.isOn]] : [before, [told.off]]
    case "Yes":
      return [before, []]
    case "WantNo":
      // An answer to "no" that is none: the RFC lets it be off, or, if we want it again, on.
      return before.opposite ? [yes, []] : [no, [told.isOff]]
    case "WantYes":
      return before.opposite ? [wantNo, [told.isOn, told.off]] : [yes, [told.isOn]]
  }
}

/** The peer is against it. */
const heardOff = (before: OptionState, told: Tellers): Step => {
  switch (before._tag) {
    case "No":
      return [before, []]
    case "Yes":
      return [no, [told.off, told.isOff]]
    case "WantNo":
      return before.opposite ? [wantYes, [told.isOff, told.on]] : [no, [told.isOff]]
    case "WantYes":
      return before.opposite ? [no, []] : [no, [told.refused]]
  }
}

const wanted = (before: OptionState, on: boolean, told: Tellers): Step => {
  switch (before._tag) {
    case "No":
      return on ? [wantYes, [told.on]] : [before, []]
    case "Yes":
      return on ? [before, [told.isOn]] : [wantNo, [told.off]]
    case "WantNo":
      return [before.opposite === on ? before : { _tag: "WantNo", opposite: on }, []]
    case "WantYes":
      return [before.opposite === !on ? before : { _tag: "WantYes", opposite: !on }, []]
  }
}
