/**
 * The messages of SCRAM, RFC 5802 §7. Attributes come in a fixed order; what is not in it is an error, but for the extensions
 * at the end of a message, which are let be.
 */
import { decodeBase64 } from "./SaslBase64.ts"

/** `=2C` for a comma, `=3D` for an equals sign. */
export const encodeName = (name: string): string => name.replaceAll("=", "=3D").replaceAll(",", "=2C")

/** `undefined` where an equals sign is anything else, or there is no name. */
export const decodeName = (text: string): string | undefined =>
  text === "" || text.includes(",") || /=(?!2C|3D)/.test(text) || text.includes("\0")
    ? undefined
    : text.replaceAll("=2C", ",").replaceAll("=3D", "=")

/** `p`: bound by that type; `y`: the client could, and thinks that the server could not; `n`: the client could not. */
export type BindingFlag = { readonly flag: "n" | "y" } | { readonly flag: "p"; readonly type: string }

export interface ClientFirst {
  readonly binding: BindingFlag
  readonly authorizationId: string | undefined
  /** With its last comma: what `c=` repeats. */
  readonly header: string
  /** The rest: what is signed. */
  readonly bare: string
  readonly username: string
  readonly nonce: string
}

/** Printable ASCII without commas. */
const nonceForm = "[\\x21-\\x2b\\x2d-\\x7e]+"
const extensions = "(?:,[A-Za-z]=[^,\\0]+)*"
const firstForm = new RegExp(
  `^((n|y|p=([A-Za-z0-9.-]+)),(?:a=([^,]+))?,)(n=([^,]+),r=(${nonceForm})${extensions})$`
)

export const parseClientFirst = (text: string): ClientFirst | undefined => {
  const found = firstForm.exec(text)
  if (found === null) return undefined
  const [, header, flag, type, acting, bare, name, nonce] = found
  const username = decodeName(name!)
  const authorizationId = acting === undefined ? undefined : decodeName(acting)
  if (username === undefined || (acting !== undefined && authorizationId === undefined)) return undefined
  return {
    binding: type === undefined ? { flag: flag as "n" | "y" } : { flag: "p", type },
    authorizationId,
    header: header!,
    bare: bare!,
    username,
    nonce: nonce!
  }
}

export interface ServerFirst {
  readonly nonce: string
  readonly salt: Uint8Array
  readonly iterations: number
}

const serverFirstForm = new RegExp(`^r=(${nonceForm}),s=([A-Za-z0-9+/=]+),i=([1-9][0-9]{0,8})${extensions}$`)

export const parseServerFirst = (text: string): ServerFirst | undefined => {
  const found = serverFirstForm.exec(text)
  const salt = found === null ? undefined : decodeBase64(found[2]!)
  return salt && { nonce: found![1]!, salt, iterations: Number(found![3]) }
}

export interface ClientFinal {
  /** `c=`, decoded. */
  readonly binding: Uint8Array
  readonly nonce: string
  readonly proof: Uint8Array
  /** All before `,p=`: what is signed. */
  readonly withoutProof: string
}

const finalForm = new RegExp(`^(c=([A-Za-z0-9+/=]+),r=(${nonceForm})${extensions}),p=([A-Za-z0-9+/=]+)$`)

export const parseClientFinal = (text: string): ClientFinal | undefined => {
  const found = finalForm.exec(text)
  if (found === null) return undefined
  const binding = decodeBase64(found[2]!)
  const proof = decodeBase64(found[4]!)
  return binding && proof && { binding, nonce: found[3]!, proof, withoutProof: found[1]! }
}

export type ServerFinal = { readonly verifier: Uint8Array } | { readonly error: string }

export const parseServerFinal = (text: string): ServerFinal | undefined => {
  const error = /^e=([^,\0]+)/.exec(text)?.[1]
  if (error !== undefined) return { error }
  const verifier = /^v=([A-Za-z0-9+/=]+)(?:,|$)/.exec(text)?.[1]
  const bytes = verifier === undefined ? undefined : decodeBase64(verifier)
  return bytes && { verifier: bytes }
}
