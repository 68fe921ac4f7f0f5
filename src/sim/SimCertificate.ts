/**
 * A stand-in for a certificate: text that says for whom it is, who vouches for it and until when. It protects nothing, and is
 * read nowhere but in a simulation; elsewhere it is no PEM.
 */
import * as Duration from "effect/Duration"
import type * as Tls from "../reactor/Tls.ts"

export interface Options {
  /** Names and addresses it is for; `*.example` holds for one label. */
  readonly names: ReadonlyArray<string>
  /** Who vouches for it. Default: itself. */
  readonly authority?: string | undefined
  /** Valid until then, since the world began. Default: for ever. */
  readonly validFor?: Duration.Input | undefined
}

export interface Certificate {
  readonly names: ReadonlyArray<string>
  readonly authority: string
  /** Milliseconds since the world began; undefined is never. */
  readonly endsMillis: number | undefined
}

const mark = "-----SIMULATED CERTIFICATE-----\n"

/** A certificate as text, for `Identity.certificate`, and for `authorities` of who trusts it alone. */
export const make = ({ authority, names, validFor }: Options): string => {
  const certificate: Certificate = {
    names: names.map((name) => name.toLowerCase()),
    authority: authority ?? names[0] ?? "",
    endsMillis: validFor === undefined ? undefined : Duration.toMillis(validFor)
  }
  return mark + JSON.stringify(certificate)
}

/** An identity with such a certificate. */
export const identity = (options: Options): Tls.Identity => ({
  certificate: make(options),
  privateKey: "a simulated key"
})

/** An authority as text, for `authorities`: it vouches for every certificate that names it. */
export const authority = (name: string): string => make({ names: [], authority: name })

/** Undefined for what is no stand-in. */
export const parse = (pem: Tls.Pem): Certificate | undefined => {
  const text = typeof pem === "string" ? pem : new TextDecoder().decode(pem)
  return text.startsWith(mark) ? (JSON.parse(text.slice(mark.length)) as Certificate) : undefined
}

/** Whether it is for that name: wildcards stand for one label (RFC 6125 §6.4.3). */
export const isFor = ({ names }: Certificate, name: string): boolean => {
  const wanted = name.toLowerCase()
  const parent = wanted.slice(wanted.indexOf("."))
  return names.some((own) => own === wanted || (own.startsWith("*.") && own.slice(1) === parent))
}
