/** What tests of endpoint descriptions say about errors. */
import * as Result from "effect/Result"
import type { EndpointDescriptionError } from "../../src/reactor/EndpointDescriptionError.ts"

type Parsed = Result.Result<unknown, EndpointDescriptionError>

export const errorOf = (result: Parsed): EndpointDescriptionError => {
  if (Result.isSuccess(result)) throw new Error(`no error, but ${JSON.stringify(result.success)}`)
  return result.failure
}

/** The tag of the reason, the argument, and the part of the text that is marked. */
export const faultOf = (result: Parsed): [tag: string, argument: string | undefined, marked: string] => {
  const { argument, description, position, reason } = errorOf(result)
  return [reason._tag, argument, description.slice(position.offset, position.offset + position.length)]
}

/** The message without the usage lines. */
export const messageOf = (result: Parsed): string => errorOf(result).message.split(/\nusage: /)[0]!

export const lines = (...all: ReadonlyArray<string>): string => all.join("\n")
