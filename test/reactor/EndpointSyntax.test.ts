import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as EndpointDescription from "../../src/reactor/EndpointDescription.ts"
import * as EndpointSyntax from "../../src/reactor/EndpointSyntax.ts"
import { errorOf, faultOf } from "./endpointFaults.ts"

const { parseServerSync } = EndpointDescription

describe("EndpointSyntax.parse", () => {
  const taken = (text: string) => {
    const { arguments: args, scheme } = Result.getOrThrow(EndpointSyntax.parse(text))
    return [scheme.text, ...args.map(({ name, value }) => (name ? [name.text, value.text] : value.text))]
  }

  it.each<[string, ReturnType<typeof taken>]>([
    ["", [""]],
    ["stdio", ["stdio"]],
    ["stdio:", ["stdio"]],
    ["tcp:80", ["tcp", "80"]],
    ["tcp::80", ["tcp", "", "80"]],
    ["tcp:80:", ["tcp", "80", ""]],
    ["tcp:a=1:b=:=c:=", ["tcp", ["a", "1"], ["b", ""], ["", "c"], ["", ""]]],
    ["x:a=b=c=d", ["x", ["a", "b=c=d"]]],
    [String.raw`x:C\:\\temp\=1:k=\=\:`, ["x", String.raw`C:\temp=1`, ["k", "=:"]]],
    [String.raw`x\:y:1`, ["x:y", "1"]],
    ["tcp=8080", ["tcp=8080"]],
    ["x:[::1]:80:i=[fe80::1%eth0]", ["x", "[::1]", "80", ["i", "[fe80::1%eth0]"]]],
    [
      "x:[::1]:t=[::1],10.0.0.0/8,[fd00::]/8,unix:a,[::2]",
      ["x", "[::1]", ["t", "[::1],10.0.0.0/8,[fd00::]/8,unix"], "a,[::2]"]
    ],
    ["x:[::1],[::2:y", ["x", "[", "", "1],[", "", "2", "y"]],
    // Brackets that are not the whole value, or hold no address, are characters like others.
    ["x:[::1]a:[zz:1]:[", ["x", "[", "", "1]a", "[zz", "1]", "["]],
    ["x:[1=2]:a[::1]", ["x", ["[1", "2]"], "a[", "", "1]"]]
  ])("%j", (text, expected) => {
    assert.deepStrictEqual(taken(text), expected)
  })

  it("tells where everything stands in the text", () => {
    const text = String.raw`tcp:a\:b:key\==[::1]:x=`
    const { arguments: args, scheme } = Result.getOrThrow(EndpointSyntax.parse(text))
    const at = ({ length, offset }: { readonly offset: number; readonly length: number }) =>
      text.slice(offset, offset + length)
    assert.deepStrictEqual(at(scheme), "tcp")
    assert.deepStrictEqual(args.map(at), [String.raw`a\:b`, String.raw`key\==[::1]`, "x="])
    assert.deepStrictEqual(
      args.map(({ name }) => name && at(name)),
      [undefined, String.raw`key\=`, "x"]
    )
    assert.deepStrictEqual(
      args.map(({ value }) => at(value)),
      [String.raw`a\:b`, "[::1]", ""]
    )
  })

  it.each([
    ["unix:C:\\temp", "\\t"],
    ["unix:/a\\", "\\"],
    ["unix:/a\\😀b", "\\😀"],
    ["\\tcp:80", "\\t"]
  ])("refuses the escape in %j", (text, marked) => {
    assert.deepStrictEqual(faultOf(EndpointSyntax.parse(text)), ["BadEscape", undefined, marked])
  })

  it("stays linear where brackets and colons never end", () => {
    for (const piece of [
      "[",
      "[:",
      ":",
      "[::",
      "[f:%e",
      "\\:",
      "=",
      "[::1],",
      "a,",
      "[::1]/8,=",
      ",[::",
      "aaaaaaaaa,["
    ]) {
      const text = `x:${piece.repeat(100_000)}`
      assert.isTrue(Result.isSuccess(EndpointSyntax.parse(text)))
      errorOf(parseServerSync(text))
    }
  })

  it.prop("quoteArgument is undone by parse, alone, as a name and as a value", [Schema.String], ([text]) => {
    const quoted = EndpointDescription.quoteArgument(text)
    const { arguments: args } = Result.getOrThrow(EndpointSyntax.parse(`x:${quoted}:${quoted}=${quoted}`))
    assert.deepStrictEqual(
      args.map(({ name, value }) => [name?.text, value.text]),
      [
        [undefined, text],
        [text, text]
      ]
    )
  })

  it("quoteArgument quotes the equals sign, which Twisted forgets", () => {
    assert.strictEqual(EndpointDescription.quoteArgument("C:\\a=b"), String.raw`C\:\\a\=b`)
  })
})
