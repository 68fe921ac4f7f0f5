/** A description inside another: `haproxy:trusted=10.0.0.0/8:tcp:8080`. Pure. */
import * as Result from "effect/Result"
import * as Reasons from "./EndpointDescriptionError.ts"
import { EndpointDescriptionError } from "./EndpointDescriptionError.ts"
import {
  type EndpointDescription,
  type FileArgument,
  interpret,
  type Setting
} from "./EndpointInterpretation.ts"
import type { Form, Wrapper } from "./EndpointScheme.ts"
import type { Syntax } from "./EndpointSyntax.ts"

type Described<E> = Result.Result<EndpointDescription<E>, EndpointDescriptionError>

/**
 * What a description means whose scheme wraps another one: the named arguments are its own, and as many unnamed ones as have a
 * place; the next unnamed one begins the description inside, which `describe` understands.
 */
export const interpretWrapper = <E>(
  syntax: Syntax,
  wrapper: Wrapper<E>,
  setting: Setting,
  describe: (text: string) => Described<E>
): Described<E> => {
  const split = firstInside(syntax, wrapper)
  const own = split < 0 ? syntax.arguments : syntax.arguments.slice(0, split)
  const outer = interpret({ ...syntax, arguments: own }, wrapper, setting)
  if (Result.isFailure(outer)) return Result.fail(outer.failure)
  if (split < 0) return Result.fail(nothingInside(syntax, setting))
  const { offset } = syntax.arguments[split]!
  const inner = describe(syntax.text.slice(offset))
  return Result.isFailure(inner)
    ? Result.fail(moved(inner.failure, syntax.text, offset))
    : Result.succeed(joined(outer.success, inner.success, offset))
}

const firstInside = (syntax: Syntax, wrapper: Form<unknown>): number => {
  const missing = new Set(wrapper.positional)
  return syntax.arguments.findIndex(({ name }) => {
    if (name === undefined && missing.size === 0) return true
    missing.delete(name === undefined ? [...missing][0]! : (wrapper.names.get(name.text) ?? ""))
    return false
  })
}

const nothingInside = (syntax: Syntax, setting: Setting): EndpointDescriptionError =>
  new EndpointDescriptionError({
    description: syntax.text,
    position: { offset: syntax.text.length, length: 0 },
    argument: undefined,
    reason: new Reasons.MissingArgument({
      detail: `${syntax.scheme.text} stands before another endpoint, which is missing`,
      hint: "what follows its own arguments is the other endpoint, such as tcp:8080"
    }),
    usage: setting.usage()
  })

const joined = <E>(
  outer: EndpointDescription<(inner: E) => E>,
  inner: EndpointDescription<E>,
  offset: number
): EndpointDescription<E> => {
  const { text } = outer
  const innerFiles = new Map<FileArgument, FileArgument>()
  for (const file of inner.files) {
    const { position } = file
    const place = { offset: position.offset + offset, length: position.length }
    innerFiles.set({ ...file, position: place }, file)
  }
  return {
    text,
    scheme: outer.scheme,
    files: [...outer.files, ...innerFiles.keys()],
    unreadable: (file, why, cause) => {
      const innerFile = innerFiles.get(file)
      return innerFile === undefined
        ? outer.unreadable(file, why, cause)
        : moved(inner.unreadable(innerFile, why, cause), text, offset)
    },
    complete: (contents, reader) =>
      Result.flatMap(outer.complete(contents, reader), (wrap) =>
        Result.mapBoth(inner.complete(contents, reader), {
          onSuccess: wrap,
          onFailure: (error) => moved(error, text, offset)
        })
      )
  }
}

/** The same error, shown in the whole text. */
const moved = (error: EndpointDescriptionError, text: string, offset: number): EndpointDescriptionError => {
  const { argument, position, reason, usage } = error
  return new EndpointDescriptionError({
    description: text,
    position: { offset: position.offset + offset, length: position.length },
    argument,
    reason,
    usage
  })
}
