/** Checkers that a command line can name, such as `file:/etc/passwords`. Twisted: `strcred`, `ICheckerFactory`. */
import type { SecureRandom } from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Checker from "./Checker.ts"
import type { Known } from "./Credentials.ts"
import type { KeyDerivation } from "./KeyDerivation.ts"
import * as MemoryUsers from "./MemoryUsers.ts"
import * as PasswordFile from "./PasswordFile.ts"

/** What a scheme can use. */
export type Environment = FileSystem.FileSystem | KeyDerivation | SecureRandom

export interface Argument {
  /** `undefined`: without a name, in its place. */
  readonly name: string | undefined
  readonly value: string
}

export interface ArgumentDoc {
  /** As it is written: `PATH`, `delimiter=TEXT`. */
  readonly form: string
  readonly doc: string
}

export interface CheckerScheme {
  /** Before the first colon. Twisted: `authType`. */
  readonly name: string
  /** One line. */
  readonly doc: string
  /** More lines for who asks about this one. Twisted: `authHelp`. */
  readonly help?: string | undefined
  readonly arguments: ReadonlyArray<ArgumentDoc>
  /** The tags of the credentials that its checkers take. Twisted: `credentialInterfaces`. */
  readonly kinds: ReadonlyArray<string>
  /** Fails with a sentence for whoever wrote the description; it must not show a secret. */
  readonly make: (
    values: ReadonlyArray<Argument>
  ) => Effect.Effect<Checker.Checker<Known>, string, Environment>
}

const passwordKinds = ["UsernamePassword", "PasswordProof", "DigestProof", "ScramProof"]

export const anonymous: CheckerScheme = {
  name: "anonymous",
  doc: "lets everybody in, as nobody",
  arguments: [],
  kinds: ["Anonymous"],
  make: (values) =>
    values.length > 0 ? Effect.fail("it has no arguments") : Effect.succeed(Checker.widen(Checker.anonymous))
}

export const memory: CheckerScheme = {
  name: "memory",
  doc: "users and passwords in the description itself",
  help: "Others can see the command line of a program: for tests only.",
  arguments: [{ form: "USER=PASSWORD", doc: "a user; any number of them" }],
  kinds: passwordKinds,
  make: (values) => {
    const users = values.map(({ name, value }) => [name, value] as const)
    const named = users.flatMap(([name, value]) => (name === undefined ? [] : [[name, value] as const]))
    if (users.length === 0 || named.length < users.length) return Effect.fail("write USER=PASSWORD")
    if (named.some(([name, value]) => name === "" || value === "")) {
      return Effect.fail("a name or a password is empty")
    }
    const store = Object.fromEntries(named)
    if (Object.keys(store).length < named.length) return Effect.fail("a name is there twice")
    return Effect.map(MemoryUsers.checker(store), Checker.widen)
  }
}

type FileOptions = { -readonly [K in keyof PasswordFile.Options]: PasswordFile.Options[K] }

/** An option's value goes into the options; or a sentence. */
const fileOptions: Readonly<Record<string, (options: FileOptions, value: string) => string | undefined>> = {
  delimiter: (options, value) => {
    if (value === "") return "the delimiter is empty"
    options.delimiter = value
    return undefined
  },
  user: (options, value) => {
    options.usernameField = Number(value)
    return /^\d{1,3}$/.test(value) ? undefined : "user is the number of a field, from 0"
  },
  password: (options, value) => {
    options.passwordField = Number(value)
    return /^\d{1,3}$/.test(value) ? undefined : "password is the number of a field, from 0"
  },
  case: (options, value) => {
    options.caseSensitive = value !== "ignore"
    return value === "ignore" || value === "keep" ? undefined : "case is keep or ignore"
  },
  plain: (options, value) => {
    options.plain = value !== "no"
    return value === "no" || value === "yes" ? undefined : "plain is yes or no"
  }
}

export const file: CheckerScheme = {
  name: "file",
  doc: "a file with a user and a password in each line",
  help:
    "USER:PASSWORD, where the password is as it is, or a hash: $scrypt$..., $argon2id$..., $scram-sha-256$... The file is " +
    "read again when it has changed.",
  arguments: [
    { form: "PATH", doc: "the file" },
    { form: "delimiter=TEXT", doc: "what is between fields (default: a colon, written \\:)" },
    { form: "user=NUMBER", doc: "the field of names, from 0 (default: 0)" },
    { form: "password=NUMBER", doc: "the field of passwords (default: 1)" },
    { form: "case=keep|ignore", doc: "whether Alice and alice are two (default: keep)" },
    { form: "plain=yes|no", doc: "whether passwords may be there as they are (default: yes)" }
  ],
  kinds: passwordKinds,
  make: (values) => {
    const [path, ...options] = values
    if (path === undefined || path.value === "" || (path.name !== undefined && path.name !== "path")) {
      return Effect.fail("the path of the file comes first")
    }
    const made: FileOptions = { path: path.value }
    for (const { name, value } of options) {
      const option = name !== undefined && Object.hasOwn(fileOptions, name) ? fileOptions[name] : undefined
      if (option === undefined) return Effect.fail(`there is no option ${JSON.stringify(name ?? value)}`)
      const wrong = option(made, value)
      if (wrong !== undefined) return Effect.fail(wrong)
    }
    return PasswordFile.checker(made).pipe(
      Effect.map(Checker.widen),
      Effect.mapError(({ message }) => message)
    )
  }
}

export const all: ReadonlyArray<CheckerScheme> = [anonymous, file, memory]
