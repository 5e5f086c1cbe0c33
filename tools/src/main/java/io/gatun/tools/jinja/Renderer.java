package io.gatun.tools.jinja;

import java.util.Iterator;
import java.util.List;
import java.util.function.BiFunction;

/** Executes statements and collects what they print. One rendering. */
final class Renderer {
  /** How a body ended. */
  private enum End {
    NORMAL,
    BREAK,
    CONTINUE
  }

  /** Deeper than any template goes that ends. */
  private static final int MAX_DEPTH = 200;

  private StringBuilder out = new StringBuilder();
  private int depth;

  private Renderer() {}

  static String render(List<Stmt> template, Scope scope) {
    Renderer renderer = new Renderer();
    renderer.run(template, scope);
    return renderer.out.toString();
  }

  private End run(List<Stmt> body, Scope scope) {
    for (Stmt stmt : body) {
      End end = run(stmt, scope);
      if (end != End.NORMAL) {
        return end;
      }
    }
    return End.NORMAL;
  }

  private End run(Stmt stmt, Scope scope) {
    switch (stmt) {
      case Stmt.Data data -> out.append(data.text());
      case Stmt.Output output -> {
        Object value = Evaluator.value(output.value(), scope);
        try {
          out.append(PyText.str(value));
        } catch (JinjaException e) {
          throw e.at(output.line());
        }
      }
      case Stmt.If branches -> {
        return branch(branches, scope);
      }
      case Stmt.For loop -> {
        Object items = Evaluator.value(loop.iterable(), scope);
        loop(loop, items, scope, 0);
      }
      case Stmt.Set set -> {
        Object value = Evaluator.value(set.value(), scope);
        try {
          assign(set.target(), value, scope);
        } catch (JinjaException e) {
          throw e.at(set.line());
        }
      }
      case Stmt.SetBlock set -> {
        Scope inner = new Scope(scope);
        String text = captured(set.body(), inner);
        assign(set.target(), Evaluator.filters(set.filter(), text, inner), scope);
      }
      case Stmt.Macro macro ->
          scope.set(
              macro.name(), new Macro(this, macro.name(), macro.signature(), macro.body(), scope));
      case Stmt.CallBlock block -> {
        Macro caller = new Macro(this, "caller", block.signature(), block.body(), scope);
        out.append(PyText.str(Evaluator.call(block.call(), scope, caller)));
      }
      case Stmt.FilterBlock block -> {
        Scope inner = new Scope(scope);
        String text = captured(block.body(), inner);
        out.append(PyText.str(Evaluator.filters(block.filter(), text, inner)));
      }
      case Stmt.With with -> {
        Scope inner = new Scope(scope);
        for (int i = 0; i < with.targets().size(); i++) {
          // Values see what lies around the block, not each other.
          assign(with.targets().get(i), Evaluator.value(with.values().get(i), scope), inner);
        }
        return run(with.body(), inner);
      }
      case Stmt.Generation generation -> run(generation.body(), new Scope(scope));
      case Stmt.Break _ -> {
        return End.BREAK;
      }
      case Stmt.Continue _ -> {
        return End.CONTINUE;
      }
    }
    return End.NORMAL;
  }

  private End branch(Stmt.If branches, Scope scope) {
    for (int i = 0; i < branches.tests().size(); i++) {
      if (PyOps.truth(Evaluator.value(branches.tests().get(i), scope))) {
        return run(branches.bodies().get(i), scope);
      }
    }
    return run(branches.otherwise(), scope);
  }

  /** What a body prints. */
  String captured(List<Stmt> body, Scope scope) {
    if (++depth > MAX_DEPTH) {
      throw new JinjaException("macros call each other more than %d deep".formatted(MAX_DEPTH));
    }
    StringBuilder before = out;
    out = new StringBuilder();
    try {
      run(body, scope);
      return out.toString();
    } finally {
      out = before;
      depth--;
    }
  }

  private void loop(Stmt.For stmt, Object items, Scope scope, int loopDepth) {
    LoopContext loop;
    try {
      Iterator<Object> each = PyOps.iterate(items);
      boolean all = stmt.test() == null;
      BiFunction<Object, Integer, Object> recurse =
          stmt.recursive() ? (inner, deeper) -> nested(stmt, inner, scope, deeper) : null;
      loop =
          new LoopContext(
              all ? each : new Filtered(each, item -> passes(stmt, item, scope)),
              all ? PyOps.length(items) : -1,
              loopDepth,
              recurse);
    } catch (JinjaException e) {
      throw e.at(stmt.line());
    }
    boolean any = false;
    while (loop.hasNext()) {
      any = true;
      Scope inner = new Scope(scope);
      inner.set("loop", loop);
      try {
        assign(stmt.target(), loop.next(), inner);
      } catch (JinjaException e) {
        throw e.at(stmt.line());
      }
      if (run(stmt.body(), inner) == End.BREAK) {
        break;
      }
    }
    if (!any) {
      run(stmt.otherwise(), new Scope(scope));
    }
  }

  private boolean passes(Stmt.For stmt, Object item, Scope scope) {
    Scope inner = new Scope(scope);
    assign(stmt.target(), item, inner);
    return PyOps.truth(Evaluator.value(stmt.test(), inner));
  }

  private String nested(Stmt.For stmt, Object items, Scope scope, int loopDepth) {
    if (++depth > MAX_DEPTH) {
      throw new JinjaException("loops call themselves more than %d deep".formatted(MAX_DEPTH));
    }
    StringBuilder before = out;
    out = new StringBuilder();
    try {
      loop(stmt, items, scope, loopDepth);
      return out.toString();
    } finally {
      out = before;
      depth--;
    }
  }

  private static void assign(Expr target, Object value, Scope scope) {
    switch (target) {
      case Expr.Name name -> scope.set(name.name(), value);
      case Expr.NamespaceTarget member -> {
        if (!(scope.get(member.name()) instanceof Namespace namespace)) {
          throw new JinjaException(
              "%s.%s cannot be set: %s is no namespace"
                  .formatted(member.name(), member.attribute(), member.name()));
        }
        namespace.attributes().put(member.attribute(), value);
      }
      case Expr.TupleOf tuple -> {
        List<Object> values = PyOps.list(value);
        if (values.size() != tuple.items().size()) {
          throw new JinjaException(
              "%d values cannot be set to %d names".formatted(values.size(), tuple.items().size()));
        }
        for (int i = 0; i < values.size(); i++) {
          assign(tuple.items().get(i), values.get(i), scope);
        }
      }
      default -> throw new IllegalStateException("the parser lets no such target through");
    }
  }
}
