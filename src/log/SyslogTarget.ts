/** Which system log: this machine's, or one over the network. */
import * as Data from "effect/Data"
import * as Result from "effect/Result"
import { nearest } from "../reactor/EndpointSuggestion.ts"
import { visible } from "../result/VisibleText.ts"
import type { Kind } from "./Syslog.ts"

/** As `NodeSyslog.make` takes it. */
export type SyslogTarget =
  | { readonly _tag: "Local" }
  | { readonly _tag: "Udp" | "Tcp"; readonly host: string; readonly port: number }

export class SyslogTargetError extends Data.TaggedError("SyslogTargetError")<{
  readonly text: string
  readonly detail: string
}> {
  override get message(): string {
    return `"${visible(this.text)}" is no system log: ${this.detail}`
  }
}

/** RFC 5426 and RFC 6587. */
const ports = { Udp: 514, Tcp: 514 } as const
const schemes = new Map([
  ["syslog+udp", "Udp"],
  ["udp", "Udp"],
  ["syslog+tcp", "Tcp"],
  ["tcp", "Tcp"]
] as const)

/** `local`, `syslog+udp://host:514`, `syslog+tcp://host:514`; the port may be left out, and so may `syslog+`. */
export const parse = (text: string): Result.Result<SyslogTarget, SyslogTargetError> => {
  const fail = (detail: string) => Result.fail(new SyslogTargetError({ text, detail }))
  const word = text.trim()
  if (word === "local" || word === "") return Result.succeed({ _tag: "Local" })
  const match = /^([^:/]+):\/\/(\[[^\]]*\]|[^:/\s]+)(?::(\d+))?\/?$/.exec(word)
  if (match === null) return fail("write local, or syslog+udp://host:514")
  const [, scheme = "", name = "", given] = match
  const kind = schemes.get(scheme.toLowerCase() as "udp")
  if (kind === undefined) {
    const meant = nearest(scheme, schemes.keys())
    return fail(
      meant === undefined
        ? `${scheme} is none of ${[...schemes.keys()].join(", ")}`
        : `did you mean ${meant}://?`
    )
  }
  const port = given === undefined ? ports[kind] : Number(given)
  if (port < 1 || port > 65_535) return fail("the port is a number from 1 to 65535")
  return Result.succeed({ _tag: kind, host: name.replace(/^\[|\]$/g, ""), port })
}

/** What messages it is sent. */
export const kindOf = (target: SyslogTarget): Kind => (target._tag === "Local" ? "prefixed" : "rfc5424")
