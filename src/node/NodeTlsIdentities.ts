/** The identities of a TLS server's options, wherever they come from, and how they are read again. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Semaphore from "effect/Semaphore"
import { IdentitiesError } from "../reactor/Identities.ts"
import * as IdentityFiles from "../reactor/IdentityFiles.ts"
import type * as Tls from "../reactor/Tls.ts"
import * as NodeIdentities from "./NodeIdentities.ts"

export interface Reloadable {
  /** All there is at the moment. */
  readonly identities: Effect.Effect<ReadonlyArray<Tls.Identity>, unknown>
  /** The same, where nobody need be asked. */
  readonly list: ReadonlyArray<Tls.Identity> | undefined
  /** Reads their files again. What cannot be used is the failure, and what was there stays. `undefined`: they have none. */
  readonly reload: Effect.Effect<void, unknown> | undefined
}

/** `prepare` throws for an identity that cannot be shown. */
export const sourceOf = (
  identity: Tls.ServerOptions["identity"],
  prepare: (identity: Tls.Identity) => unknown
): Reloadable => {
  if ("directory" in identity) return followed(identity)
  if ("identities" in identity) {
    const reload = NodeIdentities.reloadOf(identity)
    return { identities: Effect.suspend(() => identity.identities), list: undefined, reload }
  }
  const list = "certificate" in identity ? [identity] : identity
  return list.some(IdentityFiles.isFileIdentity)
    ? new FromFiles(list, prepare)
    : { identities: Effect.succeed(list), list, reload: undefined }
}

class FromFiles implements Reloadable {
  list: ReadonlyArray<Tls.Identity>
  readonly identities: Effect.Effect<ReadonlyArray<Tls.Identity>> = Effect.sync(() => this.list)
  readonly reload: Effect.Effect<void, IdentitiesError>

  constructor(list: ReadonlyArray<Tls.Identity>, prepare: (identity: Tls.Identity) => unknown) {
    this.list = list
    // All or nothing: files that belong together change together.
    this.reload = Effect.suspend(() => Effect.forEach(this.list, (each) => readAgain(each, prepare))).pipe(
      Effect.map((read) => {
        this.list = read
      })
    )
  }
}

const readAgain = (
  known: Tls.Identity,
  prepare: (identity: Tls.Identity) => unknown
): Effect.Effect<Tls.Identity, IdentitiesError> => {
  if (!IdentityFiles.isFileIdentity(known)) return Effect.succeed(known)
  const { certificate, privateKey } = known.origin
  return Effect.flatMap(IdentityFiles.load(known.origin), (read) => {
    // The same one as before, so that its sessions can still be resumed.
    if (IdentityFiles.isSame(read, known)) return Effect.succeed(known)
    return Effect.try({
      try: () => {
        prepare(read)
        return read
      },
      catch: (cause) =>
        new IdentitiesError({
          place: certificate === undefined ? privateKey : `${certificate} and ${privateKey}`,
          detail: `it cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`,
          cause
        })
    })
  })
}

/** What a directory holds: read when somebody first asks, once for all who ask meanwhile; what fails is tried again. */
const followed = ({ directory, files }: Tls.IdentityDirectory): Reloadable => {
  const turnstile = Semaphore.makeUnsafe(1)
  let source: Tls.IdentitySource | undefined
  const open = NodeIdentities.directory(directory).pipe(
    Effect.tap((opened) =>
      Effect.sync(() => {
        source = opened
      })
    ),
    Effect.provideService(FileSystem.FileSystem, files)
  )
  const opened = turnstile.withPermit(
    Effect.suspend(() => (source === undefined ? open : Effect.succeed(source)))
  )
  return {
    identities: Effect.suspend(
      () => source?.identities ?? Effect.flatMap(opened, ({ identities }) => identities)
    ),
    list: undefined,
    reload: Effect.suspend(
      () => (source === undefined ? Effect.asVoid(opened) : NodeIdentities.reloadOf(source)) ?? Effect.void
    )
  }
}
