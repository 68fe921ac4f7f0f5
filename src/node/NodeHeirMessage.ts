/**
 * What a process says to one that it has started to serve in its place, or under it, and the answers. The same between threads.
 * Everything is checked where it arrives; other messages on the same channel are left alone.
 */
import type * as net from "node:net"
import type { ListenReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import { type Binding, isBinding } from "./NodeBinding.ts"
import { isSecret } from "./NodeTlsTickets.ts"

export type Role = "successor" | "worker" | "thread"

export const isRole = (value: unknown): value is Role =>
  value === "successor" || value === "worker" || value === "thread"

/** From the one that was started. */
export type FromHeir =
  /** It runs, and listens to this channel. */
  | { readonly _tag: "spindle/Hello" }
  /** It is to open a socket: which one is there? */
  | { readonly _tag: "spindle/Take"; readonly id: number; readonly key: string; readonly binding: Binding }
  /** It does not accept there any more (threads). */
  | { readonly _tag: "spindle/Left"; readonly key: string }
  /** It has taken a connection (threads). */
  | { readonly _tag: "spindle/Took"; readonly key: string }
  /** All of it is up. */
  | { readonly _tag: "spindle/Ready" }
  /** It serves. */
  | { readonly _tag: "spindle/Began" }
  /** It could not start. */
  | { readonly _tag: "spindle/Failed"; readonly detail: string }
  /** It has reloaded, or why not. */
  | { readonly _tag: "spindle/Reloaded"; readonly id: number; readonly detail?: string | undefined }

/** To it. */
export type ToHeir =
  | {
      readonly _tag: "spindle/Welcome"
      readonly pid: number
      readonly slot: number | undefined
      /** See `NodeTlsTickets`. */
      readonly tickets: string
    }
  /** The socket comes along. `held`: use it when told to begin. `owned`: its file and lock are then yours. */
  | {
      readonly _tag: "spindle/Given"
      readonly id: number
      readonly held: boolean
      readonly owned: boolean
      /** Keys of more at the same port. */
      readonly others?: ReadonlyArray<string> | undefined
    }
  /** There is none: bind it. */
  | { readonly _tag: "spindle/None"; readonly id: number }
  /** Bind it there, and share it. */
  | { readonly _tag: "spindle/Port"; readonly id: number; readonly port: number }
  /** Its connections will come (threads). */
  | { readonly _tag: "spindle/Feed"; readonly id: number; readonly host: string; readonly port: number }
  | { readonly _tag: "spindle/Connection"; readonly key: string; readonly socket: net.Socket }
  | { readonly _tag: "spindle/Refused"; readonly id: number; readonly reason: CarriedReason }
  | { readonly _tag: "spindle/Begin" }
  /** Accept no more, let what is open end, and go. */
  | { readonly _tag: "spindle/Drain"; readonly settleMillis: number }
  | { readonly _tag: "spindle/Reload"; readonly id: number }

/** A reason of `ListenError`, as data. */
export interface CarriedReason {
  readonly reason: ListenReason["_tag"]
  readonly detail: string
  readonly errno?: string | undefined
}

export const carryReason = ({ _tag, detail, errno }: ListenReason): CarriedReason => ({
  reason: _tag,
  detail,
  errno
})

const reasons = {
  AddressInUse: Reason.AddressInUse,
  AddressNotAvailable: Reason.AddressNotAvailable,
  AccessDenied: Reason.AccessDenied,
  BadFile: Reason.BadFile,
  InvalidAddress: Reason.InvalidAddress,
  Unsupported: Reason.Unsupported,
  ResourceExhausted: Reason.ResourceExhausted,
  AlreadyListened: Reason.AlreadyListened,
  NotListening: Reason.NotListening,
  MulticastJoinFailed: Reason.MulticastJoinFailed,
  UnknownHost: Reason.UnknownHost,
  ResolverFailed: Reason.ResolverFailed,
  InvalidTlsOptions: Reason.InvalidTlsOptions,
  Unknown: Reason.Unknown
} as const

export const uncarryReason = ({ detail, errno, reason }: CarriedReason): ListenReason =>
  new reasons[reason]({ detail, errno })

// --- checks ---------------------------------------------------------------------------------------------

type Fields = Readonly<Record<string, unknown>>

const number = (value: unknown): boolean => typeof value === "number"
const text = (value: unknown): boolean => typeof value === "string"
const textIfAny = (value: unknown): boolean => value === undefined || typeof value === "string"
const textsIfAny = (value: unknown): boolean =>
  value === undefined || (Array.isArray(value) && value.every(text))
const truth = (value: unknown): boolean => typeof value === "boolean"
const reason = (value: unknown): boolean =>
  typeof value === "object" &&
  value !== null &&
  Object.hasOwn(reasons, String((value as Fields).reason)) &&
  text((value as Fields).detail) &&
  textIfAny((value as Fields).errno)

type Checks = Readonly<Record<string, Readonly<Record<string, (value: unknown) => boolean>>>>

const fromHeir: Checks = {
  "spindle/Hello": {},
  "spindle/Take": { id: number, key: text, binding: isBinding },
  "spindle/Left": { key: text },
  "spindle/Took": { key: text },
  "spindle/Ready": {},
  "spindle/Began": {},
  "spindle/Failed": { detail: text },
  "spindle/Reloaded": { id: number, detail: textIfAny }
}

const toHeir: Checks = {
  "spindle/Welcome": { pid: number, slot: (slot) => slot === undefined || number(slot), tickets: isSecret },
  "spindle/Given": { id: number, held: truth, owned: truth, others: textsIfAny },
  "spindle/None": { id: number },
  "spindle/Port": { id: number, port: number },
  "spindle/Feed": { id: number, host: text, port: number },
  "spindle/Connection": { key: text, socket: (socket) => typeof socket === "object" && socket !== null },
  "spindle/Refused": { id: number, reason },
  "spindle/Begin": {},
  "spindle/Drain": { settleMillis: number },
  "spindle/Reload": { id: number }
}

const passes = (checks: Checks, value: unknown): boolean => {
  if (typeof value !== "object" || value === null) return false
  const fields = value as Fields
  const check =
    typeof fields._tag === "string" && Object.hasOwn(checks, fields._tag) ? checks[fields._tag] : undefined
  return check !== undefined && Object.entries(check).every(([name, holds]) => holds(fields[name]))
}

export const isFromHeir = (value: unknown): value is FromHeir => passes(fromHeir, value)

export const isToHeir = (value: unknown): value is ToHeir => passes(toHeir, value)
