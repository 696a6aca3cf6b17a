// Typed lint. Rules start from the strict set of typescript-eslint; what is added below has its reason beside it.
import js from "@eslint/js";
import globals from "globals";
import tseslint from "typescript-eslint";

const pure = [
  "helper/{contract,plan,policy,proof}/**/*.ts",
  "helper/tunnel/{machine,states}.ts",
  "helper/nodes/conf.ts",
  "helper/names/{table,admit}.ts",
  "main/tray-menu.ts",
];

export default tseslint.config(
  { ignores: ["node_modules/", "dist/", "dist-packages/", "native/", "demo-report/", "test-results/"] },
  js.configs.recommended,
  { files: ["**/*.{mjs,cjs}"], languageOptions: { globals: globals.node } },
  {
    files: ["**/*.ts", "**/*.tsx"],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: {
        projectService: true,
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      "@typescript-eslint/no-explicit-any": "error",
      // a refusal or a number in a message is what the reader wants to see
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
      // `void promise` says: failure is handled inside
      "@typescript-eslint/no-floating-promises": ["error", { ignoreVoid: true }],
      // await-less implementations of an async port are honest: the port is async because another one is
      "@typescript-eslint/require-await": "off",
      "@typescript-eslint/consistent-type-imports": "error",
      // `() => close()` and `return close()` for "do just this" are plain; a value that is used and is void stays an error
      "@typescript-eslint/no-confusing-void-expression": [
        "error",
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      "no-restricted-exports": ["error", { restrictDefaultExports: { direct: false } }],
    },
  },
  {
    files: pure,
    ignores: ["**/*.test.ts"],
    rules: {
      // pure folders get time and chance as arguments
      "no-restricted-globals": ["error", { name: "Date", message: "pure folder: pass the time in" }],
      "no-restricted-properties": [
        "error",
        { object: "Math", property: "random", message: "pure folder: pass chance in" },
      ],
      // the order of the road: contract ← plan ← policy, proof
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            {
              group: ["**/kernel/**", "**/server/**", "**/cli/**", "node:*"],
              message: "pure folders import pure folders only",
            },
          ],
        },
      ],
    },
  },
  {
    files: ["helper/proof/**/*.ts"],
    // tests prove what the compiler makes
    ignores: ["**/*.test.ts"],
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            {
              group: ["**/kernel/**", "**/policy/*.ts", "!**/contract/policy.ts", "node:*"],
              message: "proof must not know how the plan was made",
            },
          ],
        },
      ],
    },
  },
  { files: ["**/*.config.{ts,mjs}"], rules: { "no-restricted-exports": "off" } },
);
