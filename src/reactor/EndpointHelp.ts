/** What descriptions there are, for a person: `--help`, and the usage lines of errors. */
import { wrapUsage } from "./EndpointExcerpt.ts"
import {
  type ArgumentSpec,
  type EndpointScheme,
  type Form,
  namesOf,
  placeholder,
  usage
} from "./EndpointScheme.ts"

export type Use = "server" | "client" | "udp"

const inside = "ENDPOINT"

const insideDoc: Readonly<Record<Use, string>> = {
  server: "another endpoint, behind the arguments before it: tcp:8080:backlog=100",
  client: "another endpoint, behind the arguments before it: tcp:example.org:80:timeout=5",
  udp: ""
}

/** The forms of a scheme for one use. */
export const formsOf = (scheme: EndpointScheme, use: Use): ReadonlyArray<Form<unknown>> => {
  const { client, clientWrapper, server, serverWrapper, udp, udpConnected } = scheme
  const forms = { server: [server, serverWrapper], client: [client, clientWrapper], udp: [udp, udpConnected] }
  return forms[use].filter((form) => form !== undefined)
}

/** Their usage lines, by the name that the scheme was given. */
export const usagesOf = (scheme: EndpointScheme, use: Use, name: string): ReadonlyArray<string> =>
  formsOf(scheme, use).map((form) => usage(name, form, isWrapper(scheme, form) ? inside : undefined))

const isWrapper = ({ clientWrapper, serverWrapper }: EndpointScheme, form: Form<unknown>): boolean =>
  form === serverWrapper || form === clientWrapper

/** Forms that share an argument: that many, and it is told once, behind all of them. */
const severalMin = 3

/** The valid descriptions of one use, with a line about each argument. */
export const text = (schemes: ReadonlyArray<EndpointScheme>, use: Use): string => {
  const forms = schemes.flatMap((scheme) => formsOf(scheme, use))
  const counts = new Map<ArgumentSpec, number>()
  const shared = new Map<string, ArgumentSpec>()
  for (const form of forms) {
    for (const [name, spec] of Object.entries(form.arguments)) {
      if (spec.position !== undefined) continue
      const count = (counts.get(spec) ?? 0) + 1
      counts.set(spec, count)
      if (count === severalMin && !shared.has(name)) shared.set(name, spec)
    }
  }
  const blocks = schemes.flatMap((scheme) => {
    const usages = usagesOf(scheme, use, scheme.name)
    return formsOf(scheme, use).map((form, i) => {
      const own = Object.entries(form.arguments).filter(([name, spec]) => shared.get(name) !== spec)
      const lines = own.map(lineOf)
      if (isWrapper(scheme, form)) lines.push([inside, insideDoc[use]])
      return [wrapUsage(usages[i]!), ...about(scheme), ...table(lines)].join("\n")
    })
  })
  if (shared.size > 0) blocks.push(["of several of them:", ...table([...shared].map(lineOf))].join("\n"))
  return blocks.join("\n\n")
}

const about = (scheme: EndpointScheme): ReadonlyArray<string> => {
  const others = namesOf(scheme).slice(1).join(", ")
  const also = others === "" ? "" : `also written ${others}`
  const line = [scheme.doc ?? "", also].filter((part) => part !== "").join("; ")
  return line === "" ? [] : [`  ${line}`]
}

type Line = readonly [term: string, doc: string]

const lineOf = ([name, spec]: readonly [string, ArgumentSpec]): Line => [
  `${name}=${placeholder(spec)}`,
  spec.doc
]

const table = (lines: ReadonlyArray<Line>): ReadonlyArray<string> => {
  const width = Math.max(0, ...lines.map(([term]) => term.length))
  return lines.map(([term, doc]) => `  ${term.padEnd(width)}  ${doc}`)
}
