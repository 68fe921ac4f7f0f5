/**
 * Endpoints written as one line of text, for configuration and command lines:
 *
 * ```
 * tcp:8080:interface=127.0.0.1        unix:/run/echo.sock:mode=660        udp:5353:reuseAddress=yes
 * tls:443:privateKey=server.pem       tcp:[::1]:8080                      tls:example.org:443:alpn=h2
 * ```
 *
 * `parseServer`, `parseClient` and `parseUdp` give the endpoint. They work in steps that can be taken one by
 * one: `parse` takes the text apart (the grammar is in `EndpointSyntax`), `server`, `client` and `udp` say what
 * it means, still without touching a file, and `load` reads the files that it names.
 *
 * The kinds of endpoint are those of `EndpointSchemes`, and any of your own (`EndpointScheme`). A `schemes`
 * option whose names are taken, by a built-in scheme or by one another, is a mistake of the program: the pure
 * functions throw a `TypeError`, the effects die with it.
 *
 * Twisted: `serverFromString`, `clientFromString`, `quoteStringArgument`.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import * as Result from "effect/Result"
import type * as Endpoint from "./Endpoint.ts"
import { Conflict, EndpointDescriptionError, UnknownScheme } from "./EndpointDescriptionError.ts"
import { quoted } from "./EndpointExcerpt.ts"
import * as EndpointHelp from "./EndpointHelp.ts"
import { formsOf, type Use, usagesOf } from "./EndpointHelp.ts"
import { type EndpointDescription, type Setting, interpret } from "./EndpointInterpretation.ts"
import { type EndpointScheme, type Form, namesOf, type Wrapper } from "./EndpointScheme.ts"
import * as EndpointSchemes from "./EndpointSchemes.ts"
import { nearest } from "./EndpointSuggestion.ts"
import { type Syntax, parse, quoteArgument } from "./EndpointSyntax.ts"
import { interpretWrapper } from "./EndpointWrapping.ts"

export { EndpointDescriptionError } from "./EndpointDescriptionError.ts"
export type { EndpointDescription, FileArgument } from "./EndpointInterpretation.ts"
export type { Use } from "./EndpointHelp.ts"
export { parse, quoteArgument } from "./EndpointSyntax.ts"

export interface Options {
  /** Kinds of endpoint besides the built-in ones, none with a name that is taken. */
  readonly schemes?: ReadonlyArray<EndpointScheme> | undefined
}

type Described<E> = Result.Result<EndpointDescription<E>, EndpointDescriptionError>
type Parsed<E> = Effect.Effect<E, EndpointDescriptionError, FileSystem.FileSystem>

// --- text to endpoint -----------------------------------------------------------------------------------

/** The endpoint to listen on. Reads the files that a description such as `tls:443:privateKey=server.pem` names. */
export const parseServer = (text: string, options?: Options): Parsed<Endpoint.Server> =>
  Effect.suspend(() => Effect.flatMap(Effect.fromResult(server(text, options)), load))

/** The endpoint to connect to. Reads the files that the description names. */
export const parseClient = (text: string, options?: Options): Parsed<Endpoint.Client> =>
  Effect.suspend(() => Effect.flatMap(Effect.fromResult(client(text, options)), load))

/** The datagram port: `udp:PORT`, or `udp:HOST:PORT` for one with a single peer. */
export const parseUdp = (
  text: string,
  options?: Options
): Effect.Effect<Endpoint.Udp, EndpointDescriptionError> =>
  Effect.suspend(() => Effect.fromResult(parseUdpSync(text, options)))

/** As `parseServer`, for descriptions that name no files; one that does fails as `UnreadableFile`. */
export const parseServerSync = (
  text: string,
  options?: Options
): Result.Result<Endpoint.Server, EndpointDescriptionError> => withoutFiles(server(text, options))

/** As `parseClient`, for descriptions that name no files; one that does fails as `UnreadableFile`. */
export const parseClientSync = (
  text: string,
  options?: Options
): Result.Result<Endpoint.Client, EndpointDescriptionError> => withoutFiles(client(text, options))

export const parseUdpSync = (
  text: string,
  options?: Options
): Result.Result<Endpoint.Udp, EndpointDescriptionError> => withoutFiles(udp(text, options))

const noContents: ReadonlyMap<string, Uint8Array> = new Map()

const withoutFiles = <E>(described: Described<E>): Result.Result<E, EndpointDescriptionError> =>
  Result.flatMap(described, (description) => description.complete(noContents))

// --- step by step ---------------------------------------------------------------------------------------

/** What the text describes as an endpoint to listen on; complete but for the contents of files. */
export const server = (text: string, options?: Options): Described<Endpoint.Server> =>
  describeText("server", text, options, ({ server, serverWrapper }) => ({
    form: server,
    wrapper: serverWrapper
  }))

/** What the text describes as an endpoint to connect to; complete but for the contents of files. */
export const client = (text: string, options?: Options): Described<Endpoint.Client> =>
  describeText("client", text, options, ({ client, clientWrapper }) => ({
    form: client,
    wrapper: clientWrapper
  }))

/** What the text describes as a datagram port. */
export const udp = (text: string, options?: Options): Described<Endpoint.Udp> =>
  describeText("udp", text, options, ({ udp, udpConnected }, syntax) => {
    if (udp === undefined || udpConnected === undefined) return { form: udp ?? udpConnected }
    const unnamed = syntax.arguments.filter(({ name }) => name === undefined).length
    const hasPeer =
      unnamed > udp.positional.length ||
      syntax.arguments.some(
        ({ name }) => name && !udp.names.has(name.text) && udpConnected.names.has(name.text)
      )
    return { form: hasPeer ? udpConnected : udp }
  })

/** Reads the files that a description names, each once, through the `FileSystem`, and gives the endpoint. */
export const load = Effect.fn("EndpointDescription.load")(function* <E>(
  description: EndpointDescription<E>
): Effect.fn.Return<E, EndpointDescriptionError, FileSystem.FileSystem> {
  const files = yield* FileSystem.FileSystem
  const contents = new Map<string, Uint8Array>()
  for (const file of description.files) {
    if (contents.has(file.path)) continue
    const bytes = yield* Effect.mapError(files.readFile(file.path), (error) =>
      description.unreadable(file, whyUnreadable(error), error)
    )
    contents.set(file.path, bytes)
  }
  return yield* Effect.fromResult(description.complete(contents, files))
})

const whyUnreadable = (error: PlatformError): string => {
  switch (error.reason._tag) {
    case "NotFound":
      return "does not exist"
    case "PermissionDenied":
      return "this process may not read"
    case "BadResource":
      return "is not a file"
    default:
      return `cannot be read: ${error.reason.description ?? error.reason._tag}`
  }
}

/** The valid descriptions of one use with a line about each argument, for `--help`. */
export const help = (use: Use, options?: Options): string => EndpointHelp.text(registry(options), use)

// --- which scheme ---------------------------------------------------------------------------------------

const purposes: Readonly<Record<Use, string>> = {
  server: "to listen for connections",
  client: "to connect",
  udp: "for datagrams"
}

const registry = (options: Options | undefined): ReadonlyArray<EndpointScheme> => {
  if (options?.schemes === undefined) return EndpointSchemes.all
  const schemes = [...EndpointSchemes.all, ...options.schemes]
  const taken = new Set<string>()
  for (const name of schemes.flatMap(namesOf)) {
    if (taken.has(name)) throw new TypeError(`two endpoint schemes are named "${name}"`)
    taken.add(name)
  }
  return schemes
}

type Select<E> = (
  scheme: EndpointScheme,
  syntax: Syntax
) => { readonly form: Form<E> | undefined; readonly wrapper?: Wrapper<E> | undefined }

/** How deep descriptions may be nested: more is a mistake, or an attack on the stack. */
const depthMax = 8

const describeText = <E>(
  use: Use,
  text: string,
  options: Options | undefined,
  select: Select<E>
): Described<E> => describe(use, text, options, select, depthMax)

const describe = <E>(
  use: Use,
  text: string,
  options: Options | undefined,
  select: Select<E>,
  depth: number
): Described<E> => {
  const schemes = registry(options)
  const parsed = parse(text)
  if (Result.isFailure(parsed)) return Result.fail(parsed.failure)
  const syntax = parsed.success
  const name = syntax.scheme.text
  const scheme = schemes.find((scheme) => namesOf(scheme).includes(name))
  const { form, wrapper } = scheme === undefined ? noForm : select(scheme, syntax)
  if (scheme === undefined || (form ?? wrapper) === undefined) {
    return Result.fail(unknownScheme(use, syntax, schemes, scheme !== undefined))
  }
  const setting: Setting = {
    usage: () => usagesOf(scheme, use, name),
    elsewhere: (argument) =>
      schemes
        .filter((other) => formsOf(other, use).some(({ names }) => names.has(argument)))
        .map(({ name }) => name)
  }
  if (form !== undefined) return interpret(syntax, form, setting)
  return depth === 0
    ? Result.fail(tooDeep(syntax, setting))
    : interpretWrapper(syntax, wrapper!, setting, (inner) => describe(use, inner, options, select, depth - 1))
}

const noForm = { form: undefined, wrapper: undefined }

const tooDeep = ({ scheme, text }: Syntax, setting: Setting): EndpointDescriptionError =>
  new EndpointDescriptionError({
    description: text,
    position: { offset: scheme.offset, length: scheme.length },
    argument: undefined,
    reason: new Conflict({ detail: `endpoints are wrapped at most ${depthMax} times` }),
    usage: setting.usage()
  })

const unknownScheme = (
  use: Use,
  { arguments: args, scheme, text }: Syntax,
  schemes: ReadonlyArray<EndpointScheme>,
  isKnown: boolean
): EndpointDescriptionError => {
  const values = args.map(({ value }) => value.text)
  const names = schemes.filter((scheme) => formsOf(scheme, use).length > 0).flatMap(namesOf)
  const detail =
    text === ""
      ? "the description is empty"
      : scheme.text === ""
        ? "the description has no scheme"
        : isKnown
          ? `the scheme ${quoted(scheme.text)} cannot be used ${purposes[use]}`
          : `unknown scheme ${quoted(scheme.text)}`
  return new EndpointDescriptionError({
    description: text,
    position: { offset: scheme.offset, length: scheme.length },
    argument: undefined,
    reason: new UnknownScheme({
      detail,
      suggestion: isKnown ? undefined : (nearest(scheme.text, names) ?? withScheme(use, scheme.text, values)),
      hint: `schemes ${purposes[use]}: ${names.join(", ")}`
    }),
    usage: []
  })
}

/** What was probably meant by a description that has no scheme. */
const withScheme = (use: Use, first: string, others: ReadonlyArray<string>): string | undefined => {
  const stream = use === "udp" ? "udp" : "tcp"
  if (/^[0-9]{1,5}$/.test(first) && others.length === 0 && use !== "client") return `${stream}:${first}`
  if (/^[A-Za-z0-9.-]{1,253}$/.test(first) && others.length === 1 && /^[0-9]{1,5}$/.test(others[0]!)) {
    return use === "server" ? undefined : `${stream}:${first}:${others[0]}`
  }
  return use !== "udp" && /^\.{0,2}\/.{1,30}$/.test(first) && others.length === 0
    ? `unix:${quoteArgument(first)}`
    : undefined
}
