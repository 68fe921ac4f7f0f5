/** What every HTTP server here answers. Without Effect, whose heap would slow the others down. */

/** To `GET /hello`, as JSON that is made for each request. */
export const hello = { message: "Hello, World!" }

/** Where `GET /files/NAME` is answered from; no name is asked for that would lead elsewhere. */
export const filesFolder = process.env.FILES ?? ""

/** To `POST /upload`: how many bytes came. */
export const lengthOf = (body: { readonly byteLength: number }): string => String(body.byteLength)
