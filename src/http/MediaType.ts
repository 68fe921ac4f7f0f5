/** What a file is, by its name: Effect's table of media types, and how text is written. */
import * as Mime from "effect/http/Mime"
import * as Option from "effect/Option"

export interface Options {
  /** By extension without its dot, in lower case; above the table. */
  readonly types?: Readonly<Record<string, string>> | undefined
  /** For what is not known. Default `application/octet-stream`, which browsers save; Twisted's is `text/html`. */
  readonly defaultType?: string | undefined
  /** Of `text/...`, where the type does not say it. Default `utf-8`; `""` for none. */
  readonly charset?: string | undefined
}

/** The value of `Content-Type`. */
export const of = (fileName: string, options: Options = {}): string => {
  const dot = fileName.lastIndexOf(".")
  const extension = dot > 0 ? fileName.slice(dot + 1).toLowerCase() : ""
  const { charset = "utf-8", defaultType = "application/octet-stream", types } = options
  const own =
    types !== undefined && extension !== "" && Object.hasOwn(types, extension) ? types[extension] : undefined
  const type =
    own ??
    (extension === "" ? defaultType : Option.getOrElse(Mime.getType(`a.${extension}`), () => defaultType))
  const isText = /^text\/|^application\/(javascript|xhtml\+xml)$|^image\/svg\+xml$/.test(type)
  return charset !== "" && isText && !/;\s*charset=/i.test(type) ? `${type}; charset=${charset}` : type
}
