/**
 * A kind of endpoint that descriptions can name. The built-in ones (`EndpointSchemes`) are made with what is
 * here and nothing else; your own are passed to `EndpointDescription.parseServer` and its siblings:
 *
 * ```ts
 * const onion = EndpointScheme.make({
 *   name: "onion",
 *   client: EndpointScheme.form({
 *     arguments: {
 *       host: { kind: EndpointArgument.host, position: 0, required: true, doc: "the service" },
 *       port: { kind: EndpointArgument.peerPort, position: 1, required: true, doc: "its port" }
 *     },
 *     make: ({ host, port }) => Endpoint.customClient({ description: `onion:${host}:${port}`, connect: ... })
 *   })
 * })
 * ```
 *
 * Twisted: the plug-ins `IStreamServerEndpointStringParser` and `IStreamClientEndpointStringParserWithReactor`.
 */
import type * as FileSystem from "effect/FileSystem"
import type * as Endpoint from "./Endpoint.ts"
import type { DirectoryKind, FileKind, Kind, ValueKind } from "./EndpointArgument.ts"

/** An argument of a form. */
export interface ArgumentSpec<out A = unknown> {
  readonly kind: Kind<A>
  /** One line for a person who writes descriptions. */
  readonly doc: string
  /** The argument may also be given without its name, as the first (0), second (1), ... unnamed one. */
  readonly position?: number
  readonly required?: boolean
  /** Other names that are understood. */
  readonly aliases?: ReadonlyArray<string>
  /** The argument whose text stands for this one's where it is left out. */
  readonly sameAs?: string
  /** Instead of the kind's own, in usage lines. */
  readonly placeholder?: string
}

export type ArgumentSpecs = Readonly<Record<string, ArgumentSpec>>

type ValueOf<S extends ArgumentSpec> = S["kind"] extends Kind<infer A> ? A : never
/** Before files are read, a file or a directory is its path. */
type CheckedOf<S extends ArgumentSpec> = S["kind"] extends FileKind<unknown> | DirectoryKind<unknown>
  ? string
  : S["kind"] extends ValueKind<infer A>
    ? A
    : never
type RequiredNames<S extends ArgumentSpecs> = {
  [K in keyof S]: S[K] extends { readonly required: true } ? K : never
}[keyof S]

/** What `make` gets: required arguments always, others only if they were given. */
export type Values<S extends ArgumentSpecs> = {
  readonly [K in RequiredNames<S>]: ValueOf<S[K]>
} & { readonly [K in Exclude<keyof S, RequiredNames<S>>]?: ValueOf<S[K]> }

/** What `check` gets: as `make`, with the paths of files instead of their contents. */
export type CheckedValues<S extends ArgumentSpecs> = {
  readonly [K in RequiredNames<S>]: CheckedOf<S[K]>
} & { readonly [K in Exclude<keyof S, RequiredNames<S>>]?: CheckedOf<S[K]> }

/** Arguments that do not go together. */
export interface Conflicting {
  /** The one to mark in the text. */
  readonly argument: string
  /** It is not one too many: it is missing. */
  readonly missing?: boolean
  /** A sentence without a full stop. */
  readonly detail: string
}

/** Where the contents of files came from: for those that are read again later. */
export interface Read {
  /** What reads them; `undefined` where there is nothing that could do it again. */
  readonly files: FileSystem.FileSystem | undefined
  /** The files, by their arguments. */
  readonly paths: Readonly<Record<string, string>>
}

/** A way to use a scheme: its arguments, and the endpoint they make. Build it with `form`. */
export interface Form<out E> {
  readonly arguments: ArgumentSpecs
  /** The names of the positional arguments, in order. */
  readonly positional: ReadonlyArray<string>
  /** Every name and alias, and the argument that it means. */
  readonly names: ReadonlyMap<string, string>
  /** What to say about names that are no arguments, but might be taken for some. */
  readonly hints: ReadonlyMap<string, string>
  /** Values by argument name, as `arguments` tells their types. */
  readonly check: (values: Readonly<Record<string, unknown>>) => Conflicting | undefined
  readonly make: (values: Readonly<Record<string, unknown>>, read: Read) => E
}

/**
 * Makes an endpoint of another one, whose description follows the named arguments:
 * `haproxy:trusted=10.0.0.0/8:tcp:8080:backlog=100`. No argument of its form has a position.
 */
export type Wrapper<E> = Form<(inner: E) => E>

export interface EndpointScheme {
  readonly name: string
  readonly aliases?: ReadonlyArray<string> | undefined
  /** What it is, in one line for a person who writes descriptions. */
  readonly doc?: string | undefined
  /** Accepts connections. */
  readonly server?: Form<Endpoint.Server> | undefined
  /** Makes connections. */
  readonly client?: Form<Endpoint.Client> | undefined
  /** Accepts connections by means of another endpoint. */
  readonly serverWrapper?: Wrapper<Endpoint.Server> | undefined
  /** Makes connections by means of another endpoint. */
  readonly clientWrapper?: Wrapper<Endpoint.Client> | undefined
  /** A datagram port. Its forms name no files. */
  readonly udp?: Form<Endpoint.Udp> | undefined
  /** A datagram port with one peer: taken when there are more unnamed arguments than `udp` has, or one that only it knows. */
  readonly udpConnected?: Form<Endpoint.Udp> | undefined
}

const argumentName = /^[A-Za-z][A-Za-z0-9_-]*$/
const schemeName = /^[A-Za-z][A-Za-z0-9+._-]*$/

/**
 * A form of a scheme. Throws a `TypeError` if it cannot work: names that no description can hold or that mean
 * two things, positions with gaps, `sameAs` of nothing.
 */
export const form = <const S extends ArgumentSpecs, E>(options: {
  /** By name, in the order of the usage line. */
  readonly arguments: S
  /** Finds arguments that do not go together, before any file is read. */
  readonly check?: ((values: CheckedValues<S>) => Conflicting | undefined) | undefined
  /** What to say about names that are no arguments, but might be taken for some: those of other systems. */
  readonly hints?: Readonly<Record<string, string>> | undefined
  /** Pure and total: every value has been checked by its kind. */
  readonly make: (values: Values<S>, read: Read) => E
}): Form<E> => {
  const specs: ArgumentSpecs = options.arguments
  const names = new Map<string, string>()
  const positional: Array<string> = []
  for (const [name, spec] of Object.entries(specs)) {
    for (const word of [name, ...(spec.aliases ?? [])]) {
      if (!argumentName.test(word)) throw new TypeError(`"${word}" cannot be an argument's name`)
      if (names.has(word)) throw new TypeError(`two arguments are named "${word}"`)
      names.set(word, name)
    }
    if (spec.sameAs !== undefined && specs[spec.sameAs] === undefined) {
      throw new TypeError(`"${name}" is the same as "${spec.sameAs}", which does not exist`)
    }
    if (spec.position !== undefined) {
      if (positional[spec.position] !== undefined) {
        throw new TypeError(`"${positional[spec.position]}" and "${name}" have the same position`)
      }
      positional[spec.position] = name
    }
  }
  for (let i = 0; i < positional.length; i++) {
    if (positional[i] === undefined) throw new TypeError(`no argument has position ${i}`)
  }
  return {
    arguments: specs,
    positional,
    names,
    hints: new Map(Object.entries(options.hints ?? {})),
    // The record that the interpreter fills has, by construction, what `S` says.
    check: (values) => options.check?.(values as CheckedValues<S>),
    make: (values, read) => options.make(values as Values<S>, read)
  }
}

/** A scheme. Throws a `TypeError` if it cannot work: a name that no description can hold, no form, a datagram form that names files. */
export const make = (scheme: EndpointScheme): EndpointScheme => {
  for (const name of namesOf(scheme)) {
    if (!schemeName.test(name)) throw new TypeError(`"${name}" cannot be a scheme's name`)
  }
  const { client, clientWrapper, server, serverWrapper, udp, udpConnected } = scheme
  if ((server ?? client ?? serverWrapper ?? clientWrapper ?? udp ?? udpConnected) === undefined) {
    throw new TypeError(`the scheme "${scheme.name}" has no form`)
  }
  for (const [use, form, wrapper] of [
    ["listens", server, serverWrapper],
    ["connects", client, clientWrapper]
  ] as const) {
    if (form !== undefined && wrapper !== undefined) {
      throw new TypeError(`the scheme "${scheme.name}" ${use} by itself and by means of another`)
    }
    if (wrapper !== undefined && wrapper.positional.length > 0) {
      throw new TypeError(`"${wrapper.positional[0]}" of the scheme "${scheme.name}" cannot have a position`)
    }
  }
  for (const datagrams of [udp, udpConnected]) {
    for (const [name, spec] of Object.entries(datagrams?.arguments ?? {})) {
      if (spec.kind._tag !== "Value") throw new TypeError(`"${name}" of a datagram form cannot be a file`)
    }
  }
  return scheme
}

/** The scheme's name and its aliases. */
export const namesOf = (scheme: EndpointScheme): ReadonlyArray<string> => [
  scheme.name,
  ...(scheme.aliases ?? [])
]

/** What stands for the argument's value in a usage line. */
export const placeholder = (spec: ArgumentSpec): string => spec.placeholder ?? spec.kind.placeholder

/** The form of valid descriptions: `tcp:PORT[:interface=ADDRESS][:backlog=COUNT]`; `inner` stands for a wrapped one. */
export const usage = (scheme: string, form: Form<unknown>, inner?: string): string => {
  let line = scheme
  for (const name of form.positional) {
    const spec = form.arguments[name]!
    line += spec.required === true ? `:${placeholder(spec)}` : `[:${placeholder(spec)}]`
  }
  const others = Object.entries(form.arguments).filter(([, spec]) => spec.position === undefined)
  const isDue = (spec: ArgumentSpec): boolean => spec.required === true && spec.sameAs === undefined
  for (const [name, spec] of others) if (isDue(spec)) line += `:${name}=${placeholder(spec)}`
  for (const [name, spec] of others) if (!isDue(spec)) line += `[:${name}=${placeholder(spec)}]`
  return inner === undefined ? line : `${line}:${inner}`
}
