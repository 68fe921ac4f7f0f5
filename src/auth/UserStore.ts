/**
 * Where names and secrets are, and the checker that is made of any such place: passwords, proofs of them (CRAM-MD5, APOP,
 * digests), and SCRAM. Whether a user exists can be told neither by the answer nor by how long it takes: for a name that is
 * not there, the same work is done on a decoy.
 */
import { SecureRandom } from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { AvatarId } from "./AvatarId.ts"
import { utf8 } from "./bytesOf.ts"
import * as Checker from "./Checker.ts"
import type * as Credentials from "./Credentials.ts"
import { hmac, sha256 } from "./Hash.ts"
import { KeyDerivation, type KeyDerivationError } from "./KeyDerivation.ts"
import { checkerFailed, type LoginError, unauthorized } from "./LoginError.ts"
import * as PasswordHash from "./PasswordHash.ts"
import type { ScramHash, ScramKeys } from "./ScramKeys.ts"
import * as StoredPassword from "./StoredPassword.ts"

export interface User {
  /** As the store writes the name. */
  readonly id: AvatarId
  readonly password: StoredPassword.StoredPassword
}

export interface UserStore {
  /** `undefined`: there is nobody of that name, or nobody whose secret can be used. Fails as `CheckerFailed`. */
  readonly find: (username: string) => Effect.Effect<User | undefined, LoginError>
  /** A stored password like those of most users: how much work is done where there is no user. */
  readonly typical: Effect.Effect<StoredPassword.StoredPassword | undefined, LoginError>
}

/** The kinds of credentials that passwords can be checked for. */
export type Kind =
  | Credentials.UsernamePassword
  | Credentials.PasswordProof
  | Credentials.DigestProof
  | Credentials.ScramProof

export interface Options {
  /**
   * From which the salts are made that SCRAM tells of users that do not exist, or whose password is stored as it is; kept, so
   * that they are the same after a restart. Default: random.
   */
  readonly scramSecret?: Redacted.Redacted<string> | undefined
  /** For users whose password is stored as it is. Default: 4,096. */
  readonly scramIterations?: number | undefined
}

const allKinds: ReadonlyArray<Kind["_tag"]> = [
  "UsernamePassword",
  "PasswordProof",
  "DigestProof",
  "ScramProof"
]

/** What is checked where a store is empty. */
const nobody = StoredPassword.plain("")

const broken = ({ cause, detail }: KeyDerivationError): LoginError => checkerFailed(detail, cause)

/**
 * A checker for a store. A proof needs the password itself in the store (SCRAM: that, or its keys); for a user whose secret is
 * kept in another way it is as if the proof were wrong.
 */
export const checker = Effect.fnUntraced(function* (
  store: UserStore,
  options: Options = {}
): Effect.fn.Return<Checker.Checker<Kind>, never, KeyDerivation | SecureRandom> {
  const derivation = yield* KeyDerivation
  const random = yield* SecureRandom
  const secret =
    options.scramSecret === undefined
      ? yield* random.randomBytes(32)
      : utf8(Redacted.value(options.scramSecret))
  const noPassword = yield* random.randomBytes(32)
  const iterations = options.scramIterations ?? 4096
  const decoy = Effect.map(store.typical, (typical = nobody) => PasswordHash.decoyOf(typical))

  interface Look {
    readonly user: User | undefined
    readonly password: StoredPassword.StoredPassword
  }

  /** The user's password if it is of use, or a decoy of the store's kind. */
  const look = (
    username: string,
    isOfUse: (password: StoredPassword.StoredPassword) => boolean
  ): Effect.Effect<Look, LoginError> =>
    Effect.flatMap(store.find(username), (user) =>
      user !== undefined && isOfUse(user.password)
        ? Effect.succeed<Look>({ user, password: user.password })
        : Effect.map(decoy, (password): Look => ({ user: undefined, password }))
    )

  const saltFor = (username: string, hash: ScramHash, bytes: number) =>
    hmac(sha256, secret, utf8(`${hash}\0${username}`)).subarray(0, bytes)

  /** Of a password that is there; for others, keys that no password has, with the same work where there is some. */
  const scram = Effect.fnUntraced(function* (
    username: string,
    hash: ScramHash
  ): Effect.fn.Return<ScramKeys & { readonly user: User | undefined }, LoginError, KeyDerivation> {
    const { password, user } = yield* look(
      username,
      (password) => password._tag === "Plain" || (password._tag === "Scram" && password.hash === hash)
    )
    if (password._tag === "Scram" && password.hash === hash) {
      // A decoy has the iterations of the others, and a salt of its name's own.
      const { salt } = password.keys
      const shown = user === undefined ? saltFor(username, hash, salt.length) : salt
      return { ...password.keys, salt: shown, user }
    }
    const salt = saltFor(username, hash, 16)
    if (password._tag !== "Plain") {
      return { salt, iterations, storedKey: noPassword, serverKey: noPassword, user: undefined }
    }
    const bytes =
      user === undefined
        ? noPassword
        : PasswordHash.passwordBytes(new TextDecoder().decode(password.password))
    const keys = yield* Effect.mapError(PasswordHash.scramKeys(hash, bytes, salt, iterations), broken)
    return { ...keys, user }
  })

  const proofHolds = Effect.fnUntraced(function* (
    credentials: Exclude<Kind, Credentials.ScramProof>
  ): Effect.fn.Return<AvatarId | undefined, LoginError, KeyDerivation> {
    if (credentials._tag === "UsernamePassword") {
      const { password, user } = yield* look(credentials.username, () => true)
      const text = Redacted.value(credentials.password)
      return (yield* Effect.mapError(PasswordHash.verify(password, text), broken)) ? user?.id : undefined
    }
    const { password, user } = yield* look(credentials.username, ({ _tag }) => _tag === "Plain")
    const plain = password._tag === "Plain" ? password.password : noPassword
    return credentials.proves(plain) ? user?.id : undefined
  })

  const verify = Effect.fnUntraced(function* (
    credentials: Kind
  ): Effect.fn.Return<AvatarId, LoginError, KeyDerivation> {
    if (credentials._tag !== "ScramProof") {
      const id = yield* proofHolds(credentials)
      return id === undefined ? yield* Effect.fail(unauthorized()) : id
    }
    const { user, ...keys } = yield* scram(credentials.username, credentials.hash)
    return credentials.proves(keys) && user !== undefined ? user.id : yield* Effect.fail(unauthorized())
  })

  return Checker.make<Kind>(
    allKinds,
    (credentials) => Effect.provideService(verify(credentials), KeyDerivation, derivation),
    (username, hash) =>
      Effect.map(
        Effect.provideService(scram(username, hash), KeyDerivation, derivation),
        ({ iterations, salt, serverKey, storedKey }) => ({ iterations, salt, serverKey, storedKey })
      )
  )
})

/** The same checker for fewer kinds of credentials: a server then offers no other mechanisms. */
export const only = <C extends Credentials.Credentials, const K extends C["_tag"]>(
  checker: Checker.Checker<C>,
  kinds: ReadonlyArray<K>
): Checker.Checker<Extract<C, { readonly _tag: K }>> => ({
  ...checker,
  kinds: checker.kinds.filter((kind) => (kinds as ReadonlyArray<string>).includes(kind)),
  scram: (kinds as ReadonlyArray<string>).includes("ScramProof") ? checker.scram : undefined
})
