/**
 * What somebody shows to be let in. A kind of credentials is a class with a tag of its own; anything with a `_tag` can be one,
 * if there is a checker for it. Secrets are `Redacted`, so that no log shows them.
 *
 * What proves a password without containing it (CRAM-MD5, APOP, digests, SCRAM) brings its own test as a function: the
 * checker has the stored secret, the credentials know the arithmetic.
 */
import * as Data from "effect/Data"
import * as Redacted from "effect/Redacted"
import type { ScramHash, ScramKeys } from "./ScramKeys.ts"

/** Any kind of credentials. Twisted: `ICredentials`. */
export interface Credentials {
  readonly _tag: string
  /** As whom to act, where that may be somebody else (SASL's authorization identity). The portal asks `mayActAs`. */
  readonly authorizationId?: string | undefined
}

interface Acting {
  readonly authorizationId?: string | undefined
}

/** Twisted: `UsernamePassword`. */
export class UsernamePassword extends Data.TaggedClass("UsernamePassword")<
  { readonly username: string; readonly password: Redacted.Redacted<string> } & Acting
> {}

export const usernamePassword = (
  username: string,
  password: string,
  authorizationId?: string
): UsernamePassword => new UsernamePassword({ username, password: Redacted.make(password), authorizationId })

/** An answer that only who has the password can give. Twisted: `IUsernameHashedPassword`, `CramMD5Credentials`. */
export class PasswordProof extends Data.TaggedClass("PasswordProof")<
  {
    readonly username: string
    /** `CRAM-MD5`, `APOP`. */
    readonly mechanism: string
    /** Whether it is this password, as UTF-8, that was used. */
    readonly proves: (password: Uint8Array) => boolean
  } & Acting
> {}

/** RFC 7616. Twisted: `DigestedCredentials`, `IUsernameDigestHash`. */
export class DigestProof extends Data.TaggedClass("DigestProof")<
  {
    readonly username: string
    readonly realm: string
    readonly algorithm: "MD5" | "SHA-256"
    readonly proves: (password: Uint8Array) => boolean
    /** The same for a store that has `H(username:realm:password)` in hexadecimal instead of the password. */
    readonly provesHa1: (ha1: string) => boolean
  } & Acting
> {}

/** RFC 5802: the last but one step of it. */
export class ScramProof extends Data.TaggedClass("ScramProof")<
  {
    readonly username: string
    readonly hash: ScramHash
    readonly proves: (keys: ScramKeys) => boolean
  } & Acting
> {}

/** A key, and what was signed with it. Twisted: `SSHPrivateKey`. */
export class PublicKey extends Data.TaggedClass("PublicKey")<
  {
    readonly username: string
    /** As SSH names it: `ssh-ed25519`, `rsa-sha2-512`. */
    readonly algorithm: string
    /** The public key in SSH's wire format. */
    readonly blob: Uint8Array
    /** `undefined`: would this key do? */
    readonly signature: { readonly signed: Uint8Array; readonly signature: Uint8Array } | undefined
  } & Acting
> {}

/** A code that is good for half a minute, or once. */
export class OneTimeCode extends Data.TaggedClass("OneTimeCode")<
  { readonly username: string; readonly code: Redacted.Redacted<string> } & Acting
> {}

/** Somebody below the protocol has found out who it is: TLS by a certificate, a UNIX socket by the kernel. SASL's EXTERNAL. */
export class External extends Data.TaggedClass("External")<{ readonly identity: string } & Acting> {}

/** RFC 7628. */
export class Bearer extends Data.TaggedClass("Bearer")<
  {
    /** Whose the client says it is; the token decides. */
    readonly username: string | undefined
    readonly token: Redacted.Redacted<string>
  } & Acting
> {}

/** Twisted: `Anonymous`. */
export class Anonymous extends Data.TaggedClass("Anonymous")<
  {
    /** What a friendly client says of itself: an address of mail, or nothing. Not to be believed. */
    readonly trace: string | undefined
  } & Acting
> {}

export const anonymous = (trace?: string): Anonymous => new Anonymous({ trace })

/** The kinds that are known here. */
export type Known =
  | UsernamePassword
  | PasswordProof
  | DigestProof
  | ScramProof
  | PublicKey
  | OneTimeCode
  | External
  | Bearer
  | Anonymous
