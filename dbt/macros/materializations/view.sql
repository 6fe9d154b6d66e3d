{#- A view that is there already, made from the same SQL, is left alone: making it again takes dbt longer than an hour's
    tables take PostgreSQL. What a view was made from stands in its comment. One that went with a table or a view below
    it is not there any more. -#}
{% materialization view, adapter='postgres' -%}
    {%- set made_from = local_md5(sql) -%}
    {%- set target_relation = this.incorporate(type='view') -%}
    {%- set known = run_query(
        "select obj_description(to_regclass('" ~ target_relation ~ "'), 'pg_class') = '" ~ made_from ~ "'"
    ) -%}
    {%- if known.rows[0][0] -%}
        {%- do store_raw_result(name='main', message='unchanged', code='UNCHANGED', rows_affected='0') -%}
    {%- else -%}
        {%- set existing_relation = load_cached_relation(this) -%}
        {{ run_hooks(pre_hooks, inside_transaction=True) }}
        {%- if existing_relation is not none -%}
            {%- do adapter.drop_relation(existing_relation) -%}
        {%- endif -%}
        {%- call statement('main') -%}
            create view {{ target_relation }} as (
            {{ sql }}
            );
            comment on view {{ target_relation }} is '{{ made_from }}';
        {%- endcall -%}
        {{ run_hooks(post_hooks, inside_transaction=True) }}
        {%- do adapter.commit() -%}
    {%- endif -%}
    {{ return({'relations': [target_relation]}) }}
{%- endmaterialization %}
