/** An identity that knows the files it was read from, so that it can be read again while servers show it. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Redacted from "effect/Redacted"
import { IdentitiesError } from "./Identities.ts"
import { certificateLabel, pemBlocks, privateKeyLabel } from "./pemBlocks.ts"
import type { Identity } from "./Tls.ts"
import { fileTrouble } from "./fileTrouble.ts"

/** PEM files. */
export interface Files {
  readonly privateKey: string
  /** Its certificate, and perhaps the chain. Default: the file of `privateKey`. */
  readonly certificate?: string | undefined
  /** The certificates between it and the root. */
  readonly chain?: string | undefined
  /** Of a private key that is encrypted. */
  readonly passphrase?: Redacted.Redacted<string> | undefined
}

/** Where an identity came from. */
export interface Origin extends Files {
  readonly files: FileSystem.FileSystem
}

export interface FileIdentity extends Identity {
  readonly origin: Origin
}

/** Reads them now. A server on a platform that reloads reads them again when it is asked to (`Reloads`). */
export const make = (files: Files): Effect.Effect<FileIdentity, IdentitiesError, FileSystem.FileSystem> =>
  Effect.flatMap(FileSystem.FileSystem, (system) => load({ ...files, files: system }))

/** Reads the files of an origin. The error names the file. */
export const load = Effect.fnUntraced(function* (
  origin: Origin
): Effect.fn.Return<FileIdentity, IdentitiesError> {
  const { certificate = origin.privateKey, chain, files, passphrase, privateKey } = origin
  const read = (file: string, label: RegExp, what: string) =>
    Effect.flatMap(
      Effect.mapError(
        files.readFileString(file),
        (cause) =>
          new IdentitiesError({
            place: file,
            detail: `it cannot be read: ${fileTrouble(cause, "it is not a file")}`,
            cause
          })
      ),
      (text) => {
        const blocks = pemBlocks(text, label).map((block) => `${block}\n`)
        return blocks.length > 0
          ? Effect.succeed(blocks)
          : Effect.fail(new IdentitiesError({ place: file, detail: `it has no ${what} in PEM form` }))
      }
    )
  const [key] = yield* read(privateKey, privateKeyLabel, "private key")
  const certificates = yield* read(certificate, certificateLabel, "certificate")
  const others = chain === undefined ? [] : yield* read(chain, certificateLabel, "certificate")
  return {
    certificate: [...certificates, ...others].join(""),
    privateKey: Redacted.make(key!, { label: "private key" }),
    ...(passphrase === undefined ? {} : { passphrase }),
    origin
  }
})

export const isFileIdentity = (identity: Identity): identity is FileIdentity => "origin" in identity

/** Whether both hold the same. */
export const isSame = (a: FileIdentity, b: FileIdentity): boolean =>
  a.certificate === b.certificate && textOf(a.privateKey) === textOf(b.privateKey)

const textOf = (key: Identity["privateKey"]): unknown =>
  Redacted.isRedacted(key) ? Redacted.value(key) : key
