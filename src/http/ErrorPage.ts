/**
 * An error as an answer: a page, or RFC 9457 as JSON, whichever is wanted (`Accept`). Nothing of the request is in it, but what the
 * caller puts there, and that is escaped. Twisted: `pages.notFound`, `forbidden`, `errorPage`.
 */
import * as Effect from "effect/Effect"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Html from "./Html.ts"
import * as Negotiation from "./Negotiation.ts"

const titles: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  408: "Request Timeout",
  409: "Conflict",
  410: "Gone",
  412: "Precondition Failed",
  413: "Content Too Large",
  414: "URI Too Long",
  415: "Unsupported Media Type",
  416: "Range Not Satisfiable",
  421: "Misdirected Request",
  422: "Unprocessable Content",
  428: "Precondition Required",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout"
}

/** RFC 9110's name of a status. */
export const titleOf = (status: number): string =>
  titles[status] ?? (status < 500 ? "The request failed" : "The server failed")

export interface Options {
  /** One sentence for whoever asked. */
  readonly detail?: string | undefined
  /** More of it, as HTML that is ours. In pages only. */
  readonly html?: string | undefined
  /** The same as text. In JSON only, as `trace`. */
  readonly trace?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** For a request that is at hand. */
export const of = (
  request: HttpServerRequest,
  status: number,
  { detail, headers = {}, html, trace }: Options = {}
): HttpServerResponse.HttpServerResponse => {
  const title = titleOf(status)
  const type = Negotiation.mediaType(request.headers["accept"], [
    "text/html",
    "application/problem+json",
    "application/json"
  ])
  const all = { vary: "Accept", "x-content-type-options": "nosniff", ...headers }
  if (type === "text/html") {
    const more = detail === undefined ? "" : `<p>${Html.escape(detail)}</p>`
    return HttpServerResponse.text(
      Html.page(`${status} ${title}`, `<h1>${Html.escape(title)}</h1>${more}${html ?? ""}`),
      {
        status,
        contentType: "text/html; charset=utf-8",
        headers: { "content-security-policy": Html.contentSecurityPolicy, ...all }
      }
    )
  }
  return HttpServerResponse.text(`${JSON.stringify({ title, status, detail, trace })}\n`, {
    status,
    contentType: type,
    headers: all
  })
}

/** For the request that is being handled. */
export const make = (
  status: number,
  options?: Options
): Effect.Effect<HttpServerResponse.HttpServerResponse, never, HttpServerRequest> =>
  Effect.map(HttpServerRequest, (request) => of(request, status, options))
