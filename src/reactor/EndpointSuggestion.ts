/** Which valid word was meant by one that is not: for the "did you mean" of error messages. */
export { nearest } from "../result/NearestWord.ts"
