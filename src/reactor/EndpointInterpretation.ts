/** What a description means: its arguments as a form of its scheme understands them. Pure. */
import type * as FileSystem from "effect/FileSystem"
import * as Result from "effect/Result"
import type { DirectoryKind, FileKind, Rejection } from "./EndpointArgument.ts"
import * as Reasons from "./EndpointDescriptionError.ts"
import { EndpointDescriptionError } from "./EndpointDescriptionError.ts"
import { type Position, quoted } from "./EndpointExcerpt.ts"
import { type Form, placeholder } from "./EndpointScheme.ts"
import { nearest } from "./EndpointSuggestion.ts"
import type { Argument, Syntax } from "./EndpointSyntax.ts"

/** An argument that names a file. */
export interface FileArgument {
  /** Its proper name. */
  readonly argument: string
  /** As written; a relative path is taken from the process's working directory. */
  readonly path: string
  /** Where the path stands in the description. */
  readonly position: Position
}

/** A valid description, before the files that it names are read. */
export interface EndpointDescription<out E> {
  readonly text: string
  /** The scheme as it was written, perhaps an alias. */
  readonly scheme: string
  /** In the order of the description; a path may occur twice. */
  readonly files: ReadonlyArray<FileArgument>
  /** The error for a file that could not be read; `why` completes the sentence `..., which ...`. */
  readonly unreadable: (file: FileArgument, why: string, cause: unknown) => EndpointDescriptionError
  /**
   * The endpoint, given the contents of its files by path, and what reads its directories later. Fails as `UnreadableFile` for what
   * is not there or not right.
   */
  readonly complete: (
    contents: ReadonlyMap<string, Uint8Array>,
    files?: FileSystem.FileSystem
  ) => Result.Result<E, EndpointDescriptionError>
}

/** What interpretation cannot know from the form alone, for its messages. */
export interface Setting {
  /** The valid forms. */
  readonly usage: () => ReadonlyArray<string>
  /** The schemes that have an argument of this name. */
  readonly elsewhere: (argument: string) => ReadonlyArray<string>
}

/** Reads the arguments of `syntax` as those of `form`; the first mistake in the order of the text is the error. */
export const interpret = <E>(
  syntax: Syntax,
  form: Form<E>,
  setting: Setting
): Result.Result<EndpointDescription<E>, EndpointDescriptionError> => {
  const scheme = syntax.scheme.text
  const wrong = (position: Position, argument: string | undefined, reason: Reasons.Reason) =>
    new EndpointDescriptionError({
      description: syntax.text,
      position: { offset: position.offset, length: position.length },
      argument,
      reason,
      usage: setting.usage()
    })

  const given = new Map<string, Argument>()
  const values: Record<string, unknown> = {}
  const files: Array<PendingFile> = []
  const directories: Array<PendingDirectory> = []

  const take = (name: string, { value }: Argument, sameAs?: string): EndpointDescriptionError | undefined => {
    const { kind } = form.arguments[name]!
    const decoded = kind._tag === "Value" ? kind.decode(value.text) : decodePath(value.text)
    if (Result.isFailure(decoded))
      return wrong(value, name, invalid(syntax, name, value.text, decoded.failure))
    values[name] = decoded.success
    const file = { argument: name, path: value.text, position: value, sameAs }
    if (kind._tag === "File") files.push({ ...file, kind })
    if (kind._tag === "Directory") directories.push({ ...file, kind })
    return undefined
  }

  let unnamed = 0
  for (const argument of syntax.arguments) {
    const isUnnamed = argument.name === undefined
    const name = isUnnamed ? form.positional[unnamed++] : form.names.get(argument.name.text)
    if (name === undefined) {
      return Result.fail(
        isUnnamed
          ? wrong(argument, undefined, tooMany(syntax, form, argument))
          : wrong(
              argument.name,
              argument.name.text || undefined,
              unknown(syntax, form, setting, argument.name.text)
            )
      )
    }
    const earlier = given.get(name)
    if (earlier !== undefined) {
      const ways = (earlier.name === undefined) === isUnnamed ? "" : ": by its place and by its name"
      const reason = new Reasons.DuplicateArgument({ detail: `${name} of ${scheme} is given twice${ways}` })
      return Result.fail(wrong(argument.name ?? argument, name, reason))
    }
    given.set(name, argument)
    const error = take(name, argument)
    if (error !== undefined) return Result.fail(error)
  }

  for (const [name, spec] of Object.entries(form.arguments)) {
    if (given.has(name)) continue
    const source = spec.sameAs === undefined ? undefined : given.get(spec.sameAs)
    if (source !== undefined) {
      const error = take(name, source, spec.sameAs)
      if (error !== undefined) return Result.fail(error)
    } else if (spec.required === true) {
      const reason = new Reasons.MissingArgument({ detail: `${name} of ${scheme} is missing` })
      return Result.fail(wrong({ offset: syntax.text.length, length: 0 }, name, reason))
    }
  }

  const conflict = form.check(values)
  if (conflict?.missing === true) {
    const reason = new Reasons.MissingArgument({ detail: conflict.detail })
    return Result.fail(wrong({ offset: syntax.text.length, length: 0 }, conflict.argument, reason))
  }
  if (conflict !== undefined) {
    const marked = given.get(conflict.argument) ?? syntax.scheme
    return Result.fail(wrong(marked, conflict.argument, new Reasons.Conflict({ detail: conflict.detail })))
  }

  const unreadable = (
    { argument, path, position }: FileArgument,
    why: string,
    cause: unknown,
    hint?: string
  ) => {
    const sameAs = files.find((file) => file.argument === argument)?.sameAs
    const subject = sameAs === undefined ? argument : `${argument}, left out and so the same as ${sameAs},`
    const detail = `${subject} of ${scheme} names ${quoted(path)}, which ${why}`
    return wrong(position, argument, new Reasons.UnreadableFile({ detail, hint, path, cause }))
  }

  const complete = (contents: ReadonlyMap<string, Uint8Array>, reader?: FileSystem.FileSystem) => {
    const completed = { ...values }
    const paths: Record<string, string> = {}
    for (const directory of directories) {
      if (reader === undefined)
        return Result.fail(unreadable(directory, "cannot be read here", undefined, unreadHint))
      completed[directory.argument] = directory.kind.make({ directory: directory.path, files: reader })
    }
    for (const file of files) {
      const bytes = contents.get(file.path)
      if (bytes === undefined)
        return Result.fail(unreadable(file, "has not been read", undefined, unreadHint))
      const decoded = file.kind.decode(bytes)
      if (Result.isFailure(decoded)) {
        const { expected, hint } = decoded.failure
        return Result.fail(unreadable(file, `holds no ${expected}`, undefined, hint))
      }
      completed[file.argument] = decoded.success
      paths[file.argument] = file.path
    }
    return Result.succeed(form.make(completed, { files: reader, paths }))
  }

  return Result.succeed({ text: syntax.text, scheme, files, unreadable, complete })
}

const unreadHint = "files are read by parseServer, parseClient and load only"

interface PendingFile extends FileArgument {
  readonly kind: FileKind<unknown>
  readonly sameAs: string | undefined
}

interface PendingDirectory extends FileArgument {
  readonly kind: DirectoryKind<unknown>
  readonly sameAs: string | undefined
}

const decodePath = (path: string): Result.Result<string, Rejection> =>
  path === "" || path.includes("\0")
    ? Result.fail({ expected: "the path of a file, without NUL characters" })
    : Result.succeed(path)

const unknown = (syntax: Syntax, form: Form<unknown>, setting: Setting, name: string): Reasons.Reason => {
  const scheme = syntax.scheme.text
  if (name === "") {
    const detail = `an argument of ${scheme} has no name before its "="`
    return new Reasons.UnknownArgument({ detail, hint: equalsHint })
  }
  const detail = `unknown argument ${quoted(name)} of ${scheme}`
  const known = form.hints.get(name)
  if (known !== undefined) return new Reasons.UnknownArgument({ detail, hint: known })
  const elsewhere = setting.elsewhere(name)
  if (elsewhere.length > 0) {
    return new Reasons.UnknownArgument({ detail, hint: `${name} is an argument of ${elsewhere.join(", ")}` })
  }
  const suggestion = nearest(name, form.names.keys())
  const isName = /^[A-Za-z][A-Za-z0-9_-]*$/.test(name)
  return new Reasons.UnknownArgument({ detail, suggestion, hint: isName ? undefined : equalsHint })
}

const equalsHint = String.raw`write \= for an equals sign that belongs to a value`

const tooMany = (syntax: Syntax, form: Form<unknown>, argument: Argument): Reasons.Reason => {
  const scheme = syntax.scheme.text
  if (argument.length === 0) {
    return new Reasons.TooManyArguments({
      detail: `an empty argument of ${scheme}`,
      hint: ipv6Hint(syntax) ?? `leave out the ":" before it`
    })
  }
  const places = form.positional.map((name) => placeholder(form.arguments[name]!)).join(" and ")
  return new Reasons.TooManyArguments({
    detail: `too many arguments of ${scheme}: ${quoted(argument.value.text)} has no name`,
    hint:
      ipv6Hint(syntax) ??
      `only ${places === "" ? "named arguments are known" : `${places} may go without a name`}`
  })
}

const invalid = (syntax: Syntax, name: string, text: string, rejection: Rejection): Reasons.Reason => {
  const wrong = text === "" ? "empty" : quoted(text)
  return new Reasons.InvalidValue({
    detail: `${name} of ${syntax.scheme.text} must be ${rejection.expected}, not ${wrong}`,
    suggestion: rejection.suggestion,
    hint: ipv6Hint(syntax) ?? rejection.hint
  })
}

/** Colons that look like those of an IPv6 address, neither escaped nor in brackets. */
const ipv6Hint = (syntax: Syntax): string | undefined =>
  /[0-9A-Fa-f]::|::[0-9A-Fa-f]|=::|(?:[0-9A-Fa-f]{1,4}:){4}/.test(syntax.text.replace(/\[[^\][]*\]/g, ""))
    ? "if an IPv6 address is meant, write it in brackets, as [::1]"
    : undefined
