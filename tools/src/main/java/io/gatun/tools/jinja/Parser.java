package io.gatun.tools.jinja;

import io.gatun.tools.jinja.Token.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** Reads the statements of a template. One use. */
final class Parser {
  /** Tags that jinja2 has and this has not. */
  private static final Set<String> UNSUPPORTED =
      Set.of("block", "extends", "include", "import", "from", "autoescape", "print");

  private final TokenReader tokens;
  private final ExprParser expressions;
  private int loops;

  private Parser(TokenReader tokens) {
    this.tokens = tokens;
    this.expressions = new ExprParser(tokens);
  }

  /**
   * The statements of a template.
   *
   * @throws JinjaException if it is none, with the line
   */
  static List<Stmt> parse(String template) {
    Parser parser = new Parser(new TokenReader(Lexer.tokens(template)));
    return parser.body();
  }

  /** Statements up to one of these tags, which is read up to its name. */
  private List<Stmt> body(String... ends) {
    List<Stmt> body = new ArrayList<>();
    while (true) {
      Token token = tokens.next();
      switch (token.kind()) {
        case DATA -> body.add(new Stmt.Data(token.text()));
        case VARIABLE_BEGIN -> {
          body.add(new Stmt.Output(expressions.tuple(), token.line()));
          tokens.expect(Kind.VARIABLE_END, "'}}'");
        }
        case BLOCK_BEGIN -> {
          for (String end : ends) {
            if (tokens.current().isName(end)) {
              return body;
            }
          }
          body.add(statement());
          tokens.expect(Kind.BLOCK_END, "'%}'");
        }
        default -> {
          if (ends.length > 0) {
            throw new JinjaException("'{%% %s %%}' is missing".formatted(ends[ends.length - 1]))
                .at(token.line());
          }
          return body;
        }
      }
    }
  }

  /** The rest of an opening tag, and the statements up to its closing one, which is read too. */
  private List<Stmt> blockOf(String end) {
    List<Stmt> body = bodyOf(end);
    tokens.next();
    return body;
  }

  private List<Stmt> bodyOf(String... ends) {
    tokens.skipOperator(":");
    tokens.expect(Kind.BLOCK_END, "'%}'");
    return body(ends);
  }

  /** A body that jinja2 compiles as a function of its own: no loop around it, nothing soft. */
  private List<Stmt> scopeOf(String end) {
    boolean soft = expressions.soft(false);
    int outer = loops;
    loops = 0;
    List<Stmt> body = blockOf(end);
    loops = outer;
    expressions.soft(soft);
    return body;
  }

  private Stmt statement() {
    int line = tokens.line();
    String tag = tokens.expect(Kind.NAME, "the name of a tag").text();
    return switch (tag) {
      case "if" -> ifStatement();
      case "for" -> forStatement(line);
      case "set" -> setStatement(line);
      case "macro" -> {
        String name = expressions.targetName();
        Stmt.Signature signature = signature();
        yield new Stmt.Macro(name, signature, scopeOf("endmacro"), line);
      }
      case "call" -> callStatement(line);
      case "filter" ->
          new Stmt.FilterBlock(
              expressions.filter(expressions.oneFilter(null)), scopeOfSameLoop("endfilter"));
      case "with" -> withStatement();
      case "generation" -> new Stmt.Generation(scopeOf("endgeneration"));
      case "break", "continue" -> {
        if (loops == 0) {
          throw new JinjaException("'%s' stands outside of a loop".formatted(tag)).at(line);
        }
        yield tag.equals("break") ? new Stmt.Break() : new Stmt.Continue();
      }
      default -> {
        if (UNSUPPORTED.contains(tag)) {
          throw JinjaException.unsupported("the tag '%s'".formatted(tag)).at(line);
        }
        throw new JinjaException("there is no tag '%s' here".formatted(tag)).at(line);
      }
    };
  }

  private List<Stmt> scopeOfSameLoop(String end) {
    boolean soft = expressions.soft(false);
    List<Stmt> body = blockOf(end);
    expressions.soft(soft);
    return body;
  }

  private Stmt ifStatement() {
    boolean soft = expressions.soft(true);
    List<Expr> tests = new ArrayList<>();
    List<List<Stmt>> bodies = new ArrayList<>();
    List<Stmt> otherwise = List.of();
    do {
      tests.add(expressions.tupleWithoutConditional(null));
      bodies.add(bodyOf("elif", "else", "endif"));
    } while (tokens.skipName("elif"));
    if (tokens.skipName("else")) {
      otherwise = bodyOf("endif");
    }
    tokens.next();
    expressions.soft(soft);
    return new Stmt.If(tests, bodies, otherwise);
  }

  private Stmt forStatement(int line) {
    Expr target = expressions.target("in");
    tokens.expectName("in");
    Expr iterable = expressions.tupleWithoutConditional("recursive");
    Expr test = tokens.skipName("if") ? expressions.expression() : null;
    boolean recursive = tokens.skipName("recursive");
    boolean soft = expressions.soft(false);
    loops++;
    List<Stmt> body = bodyOf("endfor", "else");
    loops--;
    List<Stmt> otherwise = List.of();
    if (tokens.skipName("else")) {
      otherwise = bodyOf("endfor");
    }
    tokens.next();
    expressions.soft(soft);
    return new Stmt.For(target, iterable, test, recursive, body, otherwise, line);
  }

  private Stmt setStatement(int line) {
    Expr target = expressions.target(null);
    if (tokens.skipOperator("=")) {
      return new Stmt.Set(target, expressions.tuple(), line);
    }
    Expr filter = expressions.filter(null);
    return new Stmt.SetBlock(target, filter, scopeOfSameLoop("endset"), line);
  }

  private Stmt.Signature signature() {
    List<String> names = new ArrayList<>();
    List<Expr> defaults = new ArrayList<>();
    tokens.expectOperator("(");
    while (!tokens.skipOperator(")")) {
      if (!names.isEmpty()) {
        tokens.expectOperator(",");
      }
      names.add(expressions.targetName());
      if (tokens.skipOperator("=")) {
        defaults.add(expressions.expression());
      } else if (!defaults.isEmpty()) {
        throw tokens.fail("a parameter without a default stands behind one with a default");
      }
    }
    return new Stmt.Signature(names, defaults);
  }

  private Stmt callStatement(int line) {
    Stmt.Signature signature =
        tokens.current().isOperator("(") ? signature() : new Stmt.Signature(List.of(), List.of());
    if (!(expressions.expression() instanceof Expr.Call call)) {
      throw tokens.fail("'call' needs a call of a macro");
    }
    return new Stmt.CallBlock(signature, call, scopeOf("endcall"), line);
  }

  private Stmt withStatement() {
    List<Expr> targets = new ArrayList<>();
    List<Expr> values = new ArrayList<>();
    while (!tokens.current().is(Kind.BLOCK_END)) {
      if (!targets.isEmpty()) {
        tokens.expectOperator(",");
      }
      targets.add(new Expr.Name(expressions.targetName()));
      tokens.expectOperator("=");
      values.add(expressions.expression());
    }
    return new Stmt.With(targets, values, scopeOfSameLoop("endwith"));
  }
}
