/** What can be asked for: a name, what is given and what comes back, and how it may fail. Twisted: `Command`. */
import * as Result from "effect/Result"
import type { Protocol } from "../protocol/Protocol.ts"
import type { Transport } from "../reactor/Transport.ts"
import { type Fields, type FieldsCodec, make as makeFields, type TypeOf } from "./AmpFields.ts"
import { encodeKey } from "./AmpWire.ts"

/** An error that crosses the wire as a code and a description, and is made of the description there. */
export interface ErrorClass<out E extends { readonly description: string }> {
  new (fields: { readonly description: string }): E
}

/** Error classes by their codes. `class NotFound extends Data.TaggedError("NotFound")<{ readonly description: string }> {}` is one. */
export interface Errors {
  readonly [code: string]: ErrorClass<{ readonly description: string }>
}

export type ErrorOf<E extends Errors> = { readonly [C in keyof E]: InstanceType<E[C]> }[keyof E]

/**
 * - `Call`: has an answer.
 * - `Notice`: nobody waits for one (`requiresAnswer = False`).
 * - `Switch`: whoever responds gives another protocol for the connection (`ProtocolSwitchCommand`).
 */
export type Kind = "Call" | "Notice" | "Switch"

export interface Command<
  out Name extends string,
  out Args extends Fields,
  out Response extends Fields,
  out E extends Errors,
  out K extends Kind
> {
  readonly name: Name
  readonly kind: K
  readonly arguments: Args
  readonly response: Response
  /** Twisted: `errors`. */
  readonly errors: E
  /** The codes of those that end the connection. Twisted: `fatalErrors`. */
  readonly fatal: ReadonlySet<string>
}

// The parts are read only.
export interface Any extends Command<string, Fields, Fields, Errors, Kind> {}

export type ArgumentsOf<C extends Any> = TypeOf<C["arguments"]>
export type ResponseOf<C extends Any> = TypeOf<C["response"]>
export type ErrorsOf<C extends Any> = ErrorOf<C["errors"]>

/** What a handler gives: the answer, or the protocol that the connection goes on with. */
export type Given<C extends Any, R> = C["kind"] extends "Switch"
  ? Protocol<Transport, unknown, R>
  : keyof C["response"] extends never
    ? void | {}
    : ResponseOf<C>

export interface Options<Args extends Fields, Response extends Fields, E extends Errors, F extends Errors> {
  readonly arguments?: Args | undefined
  readonly response?: Response | undefined
  /** Errors by their codes: the peer that has the same gets the same error. */
  readonly errors?: E | undefined
  /** Errors that end the connection, once the peer was told. */
  readonly fatalErrors?: F | undefined
}

type None = Record<never, never>

const build =
  <K extends Kind>(kind: K) =>
  <
    const Name extends string,
    const Args extends Fields = None,
    const Response extends Fields = None,
    const E extends Errors = None,
    const F extends Errors = None
  >(
    name: Name,
    options: Options<Args, Response, E, F> = {}
  ): Command<Name, Args, Response, E & F, K> => {
    const key = encodeKey(name)
    // The name is a value: up to 65,535 bytes. Nobody needs more than a key has.
    if (Result.isFailure(key)) throw new RangeError(`"${name}" cannot be the name of a command`)
    const made: Command<Name, Args, Response, E & F, K> = {
      name,
      kind,
      arguments: options.arguments ?? ({} as Args),
      response: options.response ?? ({} as Response),
      errors: { ...options.errors, ...options.fatalErrors } as E & F,
      fatal: new Set(Object.keys(options.fatalErrors ?? {}))
    }
    codecOf(made)
    return made
  }

/** A command with an answer, which may be empty. Throws a `RangeError` for names that cannot be sent. */
export const make = build("Call")

/** A command that the caller wants no answer to; whoever responds may fail all the same. Twisted: `requiresAnswer = False`. */
export const notice = build("Notice")

/** A command after which the connection speaks another protocol. Twisted: `ProtocolSwitchCommand`. */
export const protocolSwitch = build("Switch")

/** @internal */
export interface CommandCodec {
  readonly name: Uint8Array
  readonly arguments: FieldsCodec<unknown>
  readonly response: FieldsCodec<unknown>
  readonly hasResponse: boolean
}

const codecs = new WeakMap<Any, CommandCodec>()

/** @internal */
export const codecOf = (command: Any): CommandCodec => {
  let codec = codecs.get(command)
  if (codec === undefined) {
    codec = {
      name: Buffer.from(command.name, "latin1"),
      arguments: makeFields(command.arguments) as FieldsCodec<unknown>,
      response: makeFields(command.response) as FieldsCodec<unknown>,
      hasResponse: Object.keys(command.response).length > 0
    }
    codecs.set(command, codec)
  }
  return codec
}
